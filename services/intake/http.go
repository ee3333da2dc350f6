package intake

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// Keeper keeps what the door acknowledges.
type Keeper interface {
	// Keep returns nil only once the delivery is synced to disk. The delivery
	// has everything but its sealed body, which is made from body.
	Keep(ctx context.Context, d *intakev1.Delivery, body *intakev1.DeliveryBody) error
}

// SourceLookup finds a source by its name in the address.
type SourceLookup interface {
	ByName(name string) (*intakev1.SourceDeclared, bool)
}

// SecretLookup resolves a reference to the secrets behind it.
type SecretLookup interface {
	Resolve(ref string) ([][]byte, error)
}

// Metrics hears how each request ended. Source is the name of a known source,
// or empty; outcome is one of a closed set of words.
type Metrics interface {
	Answered(source, outcome string, status int, took time.Duration)
}

// DoorConfig says what the door works with. Sources, Keep, Secrets, Clock and
// SubmissionID are needed; the rest may be left out.
type DoorConfig struct {
	Sources SourceLookup
	Keep    Keeper
	Secrets SecretLookup
	Clock   clock.Clock
	// SubmissionID makes the id of a submission: from its key where its sender
	// names it, else from the delivery. See Identity.
	SubmissionID func(sourceID, key, deliveryID string) string
	// NewID makes the id of a delivery; nil = 128 random bits.
	NewID func() string
	// Metrics hears of each answer; nil = nobody does.
	Metrics Metrics
	// Logger takes what an operator should know; nil = nothing is logged.
	Logger *slog.Logger
	// Closed says that nothing can be kept for as long as this process lives;
	// nil = never.
	Closed func() bool
	// PublicURL is the address under which the internet reaches this door, scheme
	// to the folder above /hooks; empty = not known, and who signs the address
	// must name it in the source.
	PublicURL string
	// Allow says whether a source, or an address, may send one more request
	// now, and otherwise when; nil = always.
	Allow func(sourceID, address string) (retryAfter time.Duration, ok bool)
	// Trace opens a request's span and gives its W3C trace context; nil = none.
	Trace func(r *http.Request) (ctx context.Context, traceparent string, end func(status int))
	// MaxInFlight is how many bytes of bodies may be held at once; 0 = 256 MiB.
	MaxInFlight int64
	// Waiting is for how long whoever is next has waited for the disk; nil =
	// nobody waits. From maxWait on the door asks to come again.
	Waiting func() time.Duration
}

// NewDoor is the public door. It answers a delivery with 200 only once it is on
// disk, and whatever can be said about a body without an agreement is said at
// once: an acknowledged body is readable.
func NewDoor(cfg DoorConfig) http.Handler {
	if cfg.Sources == nil || cfg.Keep == nil || cfg.Secrets == nil || cfg.Clock == nil || cfg.SubmissionID == nil {
		panic("intake: the door needs Sources, Keep, Secrets, Clock and SubmissionID")
	}
	if cfg.NewID == nil {
		cfg.NewID = newDeliveryID
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = 256 << 20
	}
	return &door{DoorConfig: cfg}
}

// Headers of an acknowledgement.
const (
	HeaderSubmission = "Baton-Submission"
	HeaderDelivery   = "Baton-Delivery"
	headerKey        = "Idempotency-Key"
)

const (
	maxIdempotencyKey = 512
	maxContentType    = 256
	maxToken          = 256
	// maxNamed is how many submissions of one request are named in its answer.
	maxNamed = 32
	allowed  = "POST, GET, HEAD, OPTIONS"
	// maxWait is how long a delivery may wait for the disk before the door takes
	// no further ones: those behind it wait about as long, and the most impatient
	// of the senders who come only once gives up after five seconds.
	maxWait = 2 * time.Second
	// removedGrace is for how long a removed source still takes what comes: who
	// removed it by mistake has lost nothing, and no sender is switched off by
	// surprise.
	removedGrace = 24 * time.Hour
)

type door struct {
	DoorConfig
	inFlight atomic.Int64
}

// exchange is one request on its way through the door.
type exchange struct {
	d       *door
	w       http.ResponseWriter
	r       *http.Request
	source  string // name of a known source
	browser bool   // a person waits for a page
	status  int
	outcome string
}

// ServeHTTP answers one request.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started := d.Clock.Now()
	x := &exchange{d: d, w: w, r: r}
	traceparent := ""
	if d.Trace != nil {
		ctx, parent, end := d.Trace(r)
		x.r, traceparent = r.WithContext(ctx), parent
		defer func() { end(x.status) }()
	}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // it is compared as net/http does
				panic(p)
			}
			d.Logger.ErrorContext(x.r.Context(), "the door broke on a request", "fault", fmt.Sprintf("%T", p), "stack", callers())
			if x.status == 0 {
				x.refuse(http.StatusInternalServerError, "broken", "something is broken here: try again later")
			}
		}
		if d.Metrics != nil {
			d.Metrics.Answered(x.source, x.outcome, x.status, d.Clock.Now().Sub(started))
		}
	}()
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // an address may hold a token

	name, token, ok := route(r.URL.EscapedPath())
	if !ok {
		x.refuse(http.StatusNotFound, "unknown-address", "there is nothing at this address: post to /hooks/ and the name of a source")
		return
	}
	src := x.lookup(name)
	switch {
	case r.Method == http.MethodOptions:
		x.options(src)
	case x.removed(src):
	case r.Method == http.MethodGet && x.handshake(src, token):
	case r.Method == http.MethodPost, x.asPost(src):
		x.post(src, token, traceparent)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		x.probe(src)
	default:
		h.Set("Allow", allowedBy(src))
		x.refuse(http.StatusMethodNotAllowed, "method", "use POST")
	}
}

// asPost says whether a source takes the request's method as a POST. A GET
// without a query carries nothing: somebody only looks.
func (x *exchange) asPost(src *intakev1.SourceDeclared) bool {
	switch x.r.Method {
	case http.MethodHead:
		return false
	case http.MethodGet:
		if x.r.URL.RawQuery == "" {
			return false
		}
	}
	return slices.Contains(src.GetMethods(), x.r.Method)
}

// allowedBy are the methods of a source's address.
func allowedBy(src *intakev1.SourceDeclared) string {
	out := allowed
	for _, method := range src.GetMethods() {
		if method != http.MethodGet && method != http.MethodPost && method != http.MethodHead {
			out += ", " + method
		}
	}
	return out
}

// removed answers for a source that was removed on purpose: that it is gone,
// which makes most senders stop. Until a while has passed it takes what comes.
func (x *exchange) removed(src *intakev1.SourceDeclared) bool {
	if src.GetState() != intakev1.SourceState_SOURCE_STATE_REMOVED || x.d.Clock.Now().Before(src.GetStateSince().AsTime().Add(removedGrace)) {
		return false
	}
	x.refuse(http.StatusGone, "removed", "this source was removed on purpose: stop sending, or ask whoever gave you the address")
	return true
}

// route reads /hooks/{source} and /hooks/{source}/{token}, with or without a
// slash at the end. It never redirects: senders drop the body on a redirect.
func route(path string) (source, token string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/hooks/")
	if !ok {
		return "", "", false
	}
	source, token, _ = strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	source, err := url.PathUnescape(source)
	if err != nil || source == "" {
		return "", "", false
	}
	if token, err = url.PathUnescape(token); err != nil || len(token) > maxToken {
		return "", "", false
	}
	return source, token, true
}

func (x *exchange) lookup(name string) *intakev1.SourceDeclared {
	// Only a name that can be a source's is asked for; nothing else from outside
	// gets further than this.
	if len(name) > 63 || !lead.Safe(name) || name[0] == '-' {
		return nil
	}
	src, ok := x.d.Sources.ByName(name)
	if !ok {
		return nil
	}
	x.source = src.GetName()
	return src
}

// post takes one delivery: read, verify, parse, keep, answer.
func (x *exchange) post(src *intakev1.SourceDeclared, token, traceparent string) {
	r, d := x.r, x.d
	contentType := r.Header.Get("Content-Type")
	x.browser = IsForm(contentType) && strings.Contains(r.Header.Get("Accept"), "text/html")
	x.cors(src)

	if d.Closed != nil && d.Closed() {
		// Nothing that follows would be right: which sources there are is in the
		// log as well.
		x.unkeepable(time.Minute)
		return
	}
	if enc := strings.Join(r.Header.Values("Content-Encoding"), ","); enc != "" && !strings.EqualFold(enc, "identity") {
		x.w.Header().Set("Accept-Encoding", "identity")
		x.refuse(http.StatusUnsupportedMediaType, "encoded", "compressed bodies are not taken: send it without Content-Encoding")
		return
	}
	if len(contentType) > maxContentType || !printable(contentType) {
		x.refuse(http.StatusBadRequest, "content-type", "Content-Type is longer than 256 bytes or not plain text: correct it")
		return
	}
	key, ok := idempotencyKey(r.Header)
	if !ok {
		x.refuse(http.StatusBadRequest, "idempotency-key", "Idempotency-Key must be one value of at most 512 printable characters")
		return
	}
	if d.Allow != nil {
		if wait, ok := d.Allow(src.GetSourceId(), address(r)); !ok {
			x.tooMany(wait)
			return
		}
	}
	limit := BodyLimit(contentType)
	if r.ContentLength > limit {
		x.w.Header().Set("Connection", "close")
		x.refuse(http.StatusRequestEntityTooLarge, "too-large", tooLarge(limit))
		return
	}
	if d.Waiting != nil && d.Waiting() >= maxWait {
		x.busy()
		return
	}
	reserve := limit
	if r.ContentLength >= 0 {
		reserve = r.ContentLength
	}
	defer d.inFlight.Add(-reserve)
	if d.inFlight.Add(reserve) > d.MaxInFlight {
		x.busy()
		return
	}
	raw, err := readBody(x.w, r, limit)
	if err != nil {
		x.unread(err, limit)
		return
	}
	now := d.Clock.Now()
	if !x.verify(src, token, raw, now) {
		return
	}
	digest := sha256.Sum256(raw)
	delivery := &intakev1.Delivery{
		DeliveryId:  d.NewID(),
		SourceId:    src.GetSourceId(),
		ReceivedAt:  timestamppb.New(now),
		ContentType: contentType,
		Signed:      src.GetVerification() != nil,
		Digest:      digest[:],
		Traceparent: strings.ToValidUTF8(traceparent, ""),
	}
	body := &intakev1.DeliveryBody{Raw: raw, IdempotencyKey: key, Query: keptQuery(src, r.URL.RawQuery), Headers: keptHeaders(src, r.Header)}
	fields, err := ParseDelivery(delivery, body, src)
	if err != nil {
		x.refuse(http.StatusBadRequest, "unreadable", err.Error())
		return
	}
	if err := d.Keep.Keep(r.Context(), delivery, body); err != nil {
		x.unkept(err)
		return
	}
	x.w.Header().Set(HeaderDelivery, delivery.GetDeliveryId())
	if n := len(fields.Items); n > 0 && n <= maxNamed {
		ids := make([]string, n)
		for i := range fields.Items {
			name, stand := Identity(fields, i, key, delivery.GetDeliveryId())
			ids[i] = d.SubmissionID(src.GetSourceId(), name, stand)
		}
		x.w.Header().Set(HeaderSubmission, strings.Join(ids, ", "))
	}
	x.kept(src, fields)
}

// verify checks the address's token and the body's signature, and answers where
// they do not hold. An unknown source does the same work as a wrong signature.
func (x *exchange) verify(src *intakev1.SourceDeclared, token string, raw []byte, now time.Time) bool {
	if src == nil {
		Verify(nil, nil, Request{Header: x.r.Header, Body: raw, Now: now})
		x.refuse(http.StatusNotFound, "unknown-source", "there is no source of this name: check the address")
		return false
	}
	if v := src.GetVerification(); v != nil {
		secrets, missing := ResolveAll(x.d.Secrets, v, now)
		if missing != nil {
			x.d.Logger.ErrorContext(x.r.Context(), "a source's secret cannot be had; what it signs is turned away until it can", "source_id", src.GetSourceId(), "error", missing.Error())
		}
		if refused := Refusal(v, secrets, x.request(v, raw, now)); refused != "" {
			if missing != nil {
				x.noSecret()
				return false
			}
			x.d.Logger.WarnContext(x.r.Context(), "a delivery's signature is missing or wrong", "source_id", src.GetSourceId(), "why", refused)
			x.refuse(http.StatusUnauthorized, "bad-signature", "the signature is missing or wrong: sign the exact bytes of the body with the source's secret")
			return false
		}
	}
	return x.token(src, token, now)
}

// noSecret asks the sender to come again: it did nothing wrong.
func (x *exchange) noSecret() {
	x.retryAfter(time.Minute)
	x.refuse(http.StatusServiceUnavailable, "no-secret", "the signature cannot be checked now: try again later")
}

// token checks the address's token, and answers where it does not hold.
func (x *exchange) token(src *intakev1.SourceDeclared, token string, now time.Time) bool {
	if tokenValid(src, token, now) {
		return true
	}
	x.d.Logger.WarnContext(x.r.Context(), "the token of an address is missing or wrong", "source_id", src.GetSourceId())
	x.refuse(http.StatusUnauthorized, "bad-token", "the token in the address is missing or wrong: use the address as it was given")
	return false
}

// request is what a signature may cover. The address is the one that is
// configured, with the path and the query of the request: what a proxy or a
// Host header makes of the rest is not what the sender has signed.
func (x *exchange) request(v *intakev1.Verification, raw []byte, now time.Time) Request {
	at := v.GetPublicUrl()
	if at == "" && x.d.PublicURL != "" {
		at = strings.TrimSuffix(x.d.PublicURL, "/") + x.r.URL.EscapedPath()
	}
	if at != "" && x.r.URL.RawQuery != "" {
		at += "?" + x.r.URL.RawQuery
	}
	return Request{Method: x.r.Method, URL: at, Header: x.r.Header, Query: x.r.URL.RawQuery, Body: raw, Now: now}
}

// unread answers a body that did not arrive.
func (x *exchange) unread(err error, limit int64) {
	x.w.Header().Set("Connection", "close")
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		x.refuse(http.StatusRequestEntityTooLarge, "too-large", tooLarge(limit))
		return
	}
	if timeout := net.Error(nil); errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		x.refuse(http.StatusRequestTimeout, "too-slow", "the body took too long: send it again")
		return
	}
	x.refuse(http.StatusBadRequest, "cut-off", "the body ended early: send it again")
}

// unkept answers a delivery that could not be kept. Whatever the reason, the
// sender did its part and is asked to try again, unless the fault says that
// nothing would change.
func (x *exchange) unkept(err error) {
	wait := 5 * time.Second
	switch fault.Of(err) {
	case fault.Invalid:
		x.refuse(http.StatusBadRequest, "invalid", "the request cannot be taken as it is: correct it")
		return
	case fault.Full, fault.Corrupt:
		wait = time.Minute
	}
	if x.r.Context().Err() == nil {
		x.d.Logger.ErrorContext(x.r.Context(), "a delivery could not be kept; its sender was asked to try again", "fault", fault.Of(err).String(), "error", err.Error())
	}
	x.unkeepable(wait)
}

// unkeepable asks the sender to come again.
func (x *exchange) unkeepable(wait time.Duration) {
	x.retryAfter(wait)
	x.refuse(http.StatusServiceUnavailable, "not-kept", "it could not be kept now: try again later")
}

// kept acknowledges. Programs get 200 and an empty object, exactly; a person's
// browser gets the page that the form asks for if it is on the source's list.
func (x *exchange) kept(src *intakev1.SourceDeclared, f Fields) {
	x.outcome = "kept"
	if !x.browser {
		x.json(http.StatusOK, []byte("{}"))
		return
	}
	if next := redirectOf(src, f); next != "" {
		x.status = http.StatusSeeOther
		x.w.Header().Set("Location", next)
		x.w.WriteHeader(x.status)
		return
	}
	x.page(http.StatusOK, "Thank you", "Your message has arrived.")
}

// redirectOf is where a form wants its visitor to go, if the source allows that
// very address.
func redirectOf(src *intakev1.SourceDeclared, f Fields) string {
	for i := range f.Items {
		for j := range f.Items[i].Leaves {
			l := &f.Items[i].Leaves[j]
			if l.origin != fromForm || l.Key != "_next" && l.Key != "retURL" {
				continue
			}
			for _, allowed := range src.GetRedirects() {
				if l.Value == allowed {
					return allowed
				}
			}
		}
	}
	return ""
}

// probe answers who only looks whether the address is there: some tools do when
// it is typed in.
func (x *exchange) probe(src *intakev1.SourceDeclared) {
	if src == nil {
		x.refuse(http.StatusNotFound, "unknown-source", "there is no source of this name: check the address")
		return
	}
	x.text("probe", "This address takes forms and webhooks by POST.\n")
}

// text answers 200 with plain text.
func (x *exchange) text(outcome, text string) {
	x.outcome, x.status = outcome, http.StatusOK
	x.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	x.w.WriteHeader(x.status)
	if x.r.Method != http.MethodHead {
		_, _ = io.WriteString(x.w, text)
	}
}

// options answers a browser that asks before a script posts, and a sender of
// CloudEvents that asks whether it may.
func (x *exchange) options(src *intakev1.SourceDeclared) {
	h := x.w.Header()
	h.Set("Allow", allowedBy(src))
	if x.cloudEvents(src) {
		return
	}
	if x.cors(src) {
		h.Set("Access-Control-Allow-Methods", strings.Join(append([]string{http.MethodPost}, src.GetMethods()...), ", "))
		h.Set("Access-Control-Allow-Headers", "Content-Type, Idempotency-Key")
		h.Set("Access-Control-Max-Age", "600")
	}
	x.outcome, x.status = "preflight", http.StatusNoContent
	x.w.WriteHeader(x.status)
}

// cors lets scripts of a source's own pages read the answer. Its pages are
// those of its origins, and those that it may send visitors back to.
func (x *exchange) cors(src *intakev1.SourceDeclared) bool {
	h := x.w.Header()
	h.Add("Vary", "Origin")
	origin := x.r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return false
	}
	if !slices.Contains(src.GetOrigins(), origin) && !slices.ContainsFunc(src.GetRedirects(), func(page string) bool {
		u, err := url.Parse(page)
		return err == nil && u.Host != "" && origin == u.Scheme+"://"+u.Host
	}) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", HeaderSubmission+", "+HeaderDelivery)
	return true
}

func (x *exchange) retryAfter(wait time.Duration) {
	seconds := max(1, int64((wait+time.Second-1)/time.Second))
	x.w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
}

// busy asks the sender to come again when there is more than can be taken.
func (x *exchange) busy() {
	x.retryAfter(time.Second)
	x.refuse(http.StatusServiceUnavailable, "busy", "too much at once: try again")
}

func (x *exchange) tooMany(wait time.Duration) {
	x.retryAfter(wait)
	x.refuse(http.StatusTooManyRequests, "too-many", "too many requests: wait as long as Retry-After says")
}

// refuse answers with a message. Messages are ours: nothing that came from
// outside is repeated.
func (x *exchange) refuse(status int, outcome, message string) {
	x.outcome = outcome
	if x.browser {
		x.page(status, "That did not work", "Your message could not be taken. Please go back and try again later.")
		return
	}
	body, err := json.Marshal(struct {
		Message string `json:"message"`
	}{message})
	if err != nil {
		body = []byte("{}")
	}
	x.json(status, body)
}

func (x *exchange) json(status int, body []byte) {
	x.status = status
	h := x.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body)
	}
}

// page answers a person. Title and text are ours.
func (x *exchange) page(status int, title, text string) {
	x.status = status
	h := x.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	x.w.WriteHeader(status)
	_, _ = fmt.Fprintf(x.w, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>%s</title>\n<h1>%s</h1>\n<p>%s</p>\n", title, title, text)
}

// readBody reads a body up to its limit, into a buffer of its own size.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	limited := http.MaxBytesReader(w, r.Body, limit)
	if r.ContentLength < 0 {
		return io.ReadAll(limited)
	}
	raw := make([]byte, r.ContentLength)
	_, err := io.ReadFull(limited, raw)
	return raw, err
}

func tooLarge(limit int64) string {
	return fmt.Sprintf("the body is longer than %d bytes: send less at once", limit)
}

func idempotencyKey(h http.Header) (string, bool) {
	switch values := h.Values(headerKey); len(values) {
	case 0:
		return "", true
	case 1:
		key := strings.TrimSpace(values[0])
		return key, len(key) <= maxIdempotencyKey && printable(key)
	default:
		return "", false
	}
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

// address is who sends, without the port, for limits only.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func newDeliveryID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return lead.ID("d-", b[:])
}

// callers names the functions on the stack. A full stack trace would print
// arguments, and arguments are content.
func callers() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var b strings.Builder
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "%s:%d ", f.Function, f.Line)
		if !more {
			return strings.TrimSpace(b.String())
		}
	}
}
