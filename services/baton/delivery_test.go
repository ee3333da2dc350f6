package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/delivery"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// postOffice is a mail server that keeps what it takes.
type postOffice struct {
	addr string

	mu    sync.Mutex
	mails [][]byte
	// refuse answers the code for a recipient; 0 = it is taken.
	refuse func(to string, nth int) int
	rcpts  int
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &postOffice{addr: l.Addr().String()}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(conn)
		}
	}()
	return p
}

func (p *postOffice) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") }
	say("220 post office")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		switch verb, rest, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "EHLO", "HELO", "MAIL", "RSET":
			say("250 yes")
		case "RCPT":
			p.mu.Lock()
			p.rcpts++
			code := 0
			if p.refuse != nil {
				code = p.refuse(rest, p.rcpts)
			}
			p.mu.Unlock()
			if code != 0 {
				say(strconv.Itoa(code) + " no")
				continue
			}
			say("250 yes")
		case "DATA":
			say("354 go on")
			var body bytes.Buffer
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				body.WriteString(strings.TrimPrefix(line, "."))
			}
			p.mu.Lock()
			p.mails = append(p.mails, body.Bytes())
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what")
		}
	}
}

func (p *postOffice) url() string {
	return "smtp://" + p.addr + "?from=" + url.QueryEscape("Baton <leads@firm.example>")
}

// letter is a mail as it is read.
type letter struct {
	*mail.Message
	subject, text, html string
}

func (p *postOffice) letters(t *testing.T) (out []letter) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, raw := range p.mails {
		m := must[*mail.Message](t)(mail.ReadMessage(bytes.NewReader(raw)))
		l := letter{Message: m}
		l.subject = must[string](t)((&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject")))
		kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil || kind != "multipart/alternative" {
			t.Fatalf("a mail of the type %q: %v", kind, err)
		}
		parts := multipart.NewReader(m.Body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			body := must[[]byte](t)(io.ReadAll(quotedprintable.NewReader(part)))
			if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
				l.text = string(body)
			} else {
				l.html = string(body)
			}
		}
		out = append(out, l)
	}
	return out
}

func (h *house) channels() deliveryv1.DeliveryServiceClient {
	return deliveryv1.NewDeliveryServiceClient(h.conn)
}

// postal makes people known who sell and have an address.
func (h *house) postal(handles ...string) {
	h.t.Helper()
	for _, handle := range handles {
		added := must[*routingv1.AddMemberResponse](h.t)(routingv1.NewRoutingServiceClient(h.conn).AddMember(h.as(""), &routingv1.AddMemberRequest{
			Member: handle, Roles: []string{access.Sales, access.Qualifier}, Name: strings.ToUpper(handle[:1]) + handle[1:] + " Écran", Email: handle + "@firm.example",
		}))
		h.tokens[handle] = added.GetToken()
	}
}

func (h *house) receipt(id string) *deliveryv1.Receipt {
	h.t.Helper()
	return must[*deliveryv1.Receipt](h.t)(h.channels().GetReceipt(h.as(""), &deliveryv1.GetReceiptRequest{LeadId: id}))
}

// stepsOf are the steps of a receipt: "1 ana: offered, queued console, …".
func stepsOf(r *deliveryv1.Receipt) (out []string) {
	for _, o := range r.GetOffers() {
		var steps []string
		for _, s := range o.GetSteps() {
			steps = append(steps, strings.TrimSpace(s.GetStep()+" "+s.GetChannel()))
		}
		out = append(out, fmt.Sprintf("%d: %s", o.GetOffer(), strings.Join(steps, ", ")))
	}
	return out
}

func (h *house) notices(channel string) []*deliveryv1.Notice {
	h.t.Helper()
	return must[*deliveryv1.ListNoticesResponse](h.t)(h.channels().ListNotices(h.as(""), &deliveryv1.ListNoticesRequest{Channel: channel, PageSize: 500})).GetNotices()
}

// browse opens an address of the public door as a browser does that follows nothing.
func (h *house) browse(method, path string, form url.Values) reply {
	h.t.Helper()
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, "http://"+h.door+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	said := must[[]byte](h.t)(io.ReadAll(resp.Body))
	return reply{resp.StatusCode, resp.Header, string(said)}
}

var answerLink = regexp.MustCompile(`https://leads\.example\.com(/o/\S+)`)

// Goes red if: a mail holds who the contact is, its link is no one's alone, looking
// changes anything, an answer counts twice, or a receipt cites what is not in the log.
func TestAMailIsAnsweredByItsLink(t *testing.T) {
	office := openPostOffice(t)
	h := start(t, Config{SMTPURL: office.url(), PublicURL: "https://leads.example.com", ConsoleURL: "https://baton.example.com"})
	h.postal("ana", "ben", "chloe")
	h.agree(h.document())
	id := h.submit("mail-1", filled(1))
	h.settle()
	who := h.lead(id).GetOfferedTo()
	letters := office.letters(t)
	if len(letters) != 1 {
		t.Fatalf("%d mails for one offer", len(letters))
	}
	l := letters[0]
	to := must[*mail.Address](t)(mail.ParseAddress(l.Header.Get("To")))
	same(t, "to whom", to.Address, who+"@firm.example")
	same(t, "the subject", l.subject, "A lead for you, to be taken by Monday 2026-03-02 12:00 CET")
	has(t, l.text, "Country: DE", "Stage: MQL", "Source: web", "https://baton.example.com/leads/"+id, "Offered to "+who)
	for _, part := range []string{l.text, l.html, l.subject} {
		for _, personal := range []string{"Ada", "Example1", "ada.1", "maschinen", "Maschinen"} {
			if strings.Contains(part, personal) {
				t.Errorf("the mail says %q of the contact:\n%s", personal, part)
			}
		}
	}
	link := answerLink.FindStringSubmatch(l.text)
	if link == nil {
		t.Fatalf("no link in:\n%s", l.text)
	}
	notice := h.notices("email")[0]
	same(t, "the mail's own id", l.Header.Get("Message-ID"), "<"+notice.GetNoticeId()+"@firm.example>")

	// A scanner looks at everything, several times.
	before := h.types("lead." + id)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodGet} {
		got := h.browse(method, link[1], nil)
		same(t, method, got.status, http.StatusOK)
		same(t, "headers", []string{got.header.Get("Cache-Control"), got.header.Get("Referrer-Policy"), got.header.Get("X-Robots-Tag")}, []string{"no-store", "no-referrer", "noindex, nofollow"})
		if method == http.MethodGet {
			has(t, got.body, "Accept this lead", "Decline", "Country", "to be taken by Monday 2026-03-02 12:00 CET")
		}
	}
	h.settle()
	same(t, "after a scanner", h.noticeTypes(id), []string{"NoticeQueued", "NoticeSent", "NoticeQueued", "NoticeSent"})
	same(t, "after a scanner", h.types("lead."+id), before)
	same(t, "the state", h.lead(id).GetState(), leadv1.State_STATE_OFFERED)

	// Whoever does not have the whole address has nothing.
	for name, path := range map[string]string{"another": link[1][:len(link[1])-2] + "AA", "no seal": strings.SplitN(link[1], ".", 2)[0], "nothing": "/o/"} {
		same(t, name, h.browse(http.MethodPost, path, url.Values{"answer": {"accept"}}).status, http.StatusNotFound)
	}

	// Somebody moves the pointer.
	same(t, "seen", h.browse(http.MethodPost, link[1]+"/seen", url.Values{}).status, http.StatusNoContent)
	same(t, "seen again", h.browse(http.MethodPost, link[1]+"/seen", url.Values{}).status, http.StatusNoContent)
	same(t, "without a reason", h.browse(http.MethodPost, link[1], url.Values{"answer": {"decline"}}).status, http.StatusBadRequest)
	same(t, "with a reason that is none", h.browse(http.MethodPost, link[1], url.Values{"answer": {"decline"}, "reason": {"weather"}}).status, http.StatusBadRequest)
	taken := h.browse(http.MethodPost, link[1], url.Values{"answer": {"accept"}})
	same(t, "taken", []any{taken.status, taken.header.Get("Location")}, []any{http.StatusSeeOther, link[1]})
	h.settle()
	same(t, "the owner", h.lead(id).GetOwner(), who)

	// Used twice.
	for _, form := range []url.Values{{"answer": {"accept"}}, {"answer": {"decline"}, "reason": {"no-fit"}}} {
		again := h.browse(http.MethodPost, link[1], form)
		same(t, "used twice", again.status, http.StatusConflict)
		has(t, again.body, "You accepted the lead at Monday 2026-03-02 10:00 CET.", "It is with you.")
	}
	events := must[[]*ledger.Event](t)(h.App.log.History(t.Context(), "lead."+id))
	accepted := 0
	for _, e := range events {
		if b, ok := e.Body.(*leadv1.OfferAccepted); ok {
			accepted++
			same(t, "who accepted", []string{b.GetMember(), e.Actor}, []string{who, who})
		}
	}
	same(t, "answers", accepted, 1)

	// The receipt, and what it cites.
	r := h.receipt(id)
	same(t, "the receipt", stepsOf(r), []string{"1: offered, queued console, sent console, queued email, sent email, opened email, accepted"})
	for _, s := range r.GetOffers()[0].GetSteps() {
		e := must[*ledger.Event](t)(h.App.log.EventAt(t.Context(), s.GetSequence()))
		same(t, s.GetStep(), hex.EncodeToString(s.GetHash()), hex.EncodeToString(e.Hash[:]))
	}
	must[[]ledger.Checkpoint](t)(h.App.log.Checkpoint(t.Context()))
	covered := h.receipt(id)
	point := must[ledger.Checkpoint](t)(ledger.OpenCheckpoint(covered.GetCheckpoint(), h.verifier(), h.App.log.ID(), ledger.StreamLedger))
	if point.Size < int64(covered.GetAsOfSequence()) {
		t.Errorf("a checkpoint of %d records does not cover record %d", point.Size, covered.GetAsOfSequence())
	}
	has(t, h.sentencesOf(id, func(*leadv1.HistoryEntry) bool { return true }), who+", by channel email, is to be told of offer 1.", "A message was sent (attempt 1) and taken by the other side (answer 250).", "The message was opened by its link.")
	if strings.Contains(h.out.String(), "firm.example") {
		t.Error("an address stands in the log of the process")
	}
	whole(t, h)
}

func (h *house) verifier() string {
	h.t.Helper()
	return must[*auditv1.GetCheckpointResponse](h.t)(auditv1.NewAuditServiceClient(h.conn).GetCheckpoint(h.as(""), &auditv1.GetCheckpointRequest{Stream: ledger.StreamLedger})).GetVerifier()
}

// noticeTypes are what was said of notices on a lead.
func (h *house) noticeTypes(id string) (types []string) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), "lead."+id)) {
		if name := e.Type[strings.LastIndex(e.Type, ".")+1:]; strings.HasPrefix(name, "Notice") {
			types = append(types, name)
		}
	}
	return types
}

// Links end with their offer, and say what became of it without naming anybody else.
func TestALinkEndsWithItsOffer(t *testing.T) {
	office := openPostOffice(t)
	h := start(t, Config{SMTPURL: office.url(), PublicURL: "https://leads.example.com"})
	h.postal("ana", "ben", "chloe")
	h.agree(h.document())
	id := h.submit("mail-1", filled(1))
	h.settle()
	first := h.lead(id).GetOfferedTo()
	h.time.Set(monday.Add(2*time.Hour + time.Second))
	h.settle()
	second := h.lead(id).GetOfferedTo()
	if second == first || second == "" {
		t.Fatalf("offered to %q, then to %q", first, second)
	}
	letters := office.letters(t)
	same(t, "mails", len(letters), 2)
	old, fresh := answerLink.FindStringSubmatch(letters[0].text)[1], answerLink.FindStringSubmatch(letters[1].text)[1]
	late := h.browse(http.MethodPost, old, url.Values{"answer": {"accept"}})
	same(t, "a link whose offer ran out", late.status, http.StatusConflict)
	has(t, late.body, "The offer ran out at Monday 2026-03-02 12:00 CET, unanswered.", "It is with somebody else now.")
	if strings.Contains(late.body, second) {
		t.Errorf("it names who has the lead now to whoever holds an old link:\n%s", late.body)
	}
	same(t, "the state", []string{h.lead(id).GetOfferedTo(), h.lead(id).GetOwner()}, []string{second, ""})
	declined := h.browse(http.MethodPost, fresh, url.Values{"answer": {"decline"}, "reason": {h.reasons()[0]}, "note": {"met them before"}})
	same(t, "declined", declined.status, http.StatusSeeOther)
	h.settle()
	has(t, h.browse(http.MethodGet, fresh, nil).body, "You declined the lead at", h.reasons()[0])

	// Who left has a link that is worth nothing.
	third := h.submit("mail-2", filled(2))
	h.settle()
	who := h.lead(third).GetOfferedTo()
	last := office.letters(t)[len(office.letters(t))-1]
	link := answerLink.FindStringSubmatch(last.text)[1]
	const accept = routingv1.RoutingService_Accept_FullMethodName
	pass := h.passes.Pass(who, accept)
	if _, ok := h.passes.Bearer(pass, accept); !ok {
		t.Error("a pass opens nothing to who works here")
	}
	must[*routingv1.Member](t)(routingv1.NewRoutingServiceClient(h.conn).DeactivateMember(h.as(""), &routingv1.DeactivateMemberRequest{Member: who, Reason: "left"}))
	// The lead was taken from them as well, so the pass is tried by itself.
	if _, ok := h.passes.Bearer(pass, accept); ok {
		t.Error("who had left keeps their passes")
	}
	if got := h.browse(http.MethodPost, link, url.Values{"answer": {"accept"}}); got.status < 400 || h.lead(third).GetOwner() == who {
		t.Errorf("who had left took a lead: %d, %s", got.status, h.lead(third).GetOwner())
	}
}

func (h *house) reasons() (ids []string) {
	for _, r := range h.register.InForce(h.time.Now()).Agreement.Reasons() {
		ids = append(ids, r.ID)
	}
	return ids
}

// receiver is another system that hears webhooks.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	calls []heard
	// answer says what comes of the nth call, from 1.
	answer func(w http.ResponseWriter, r *http.Request, nth int)
}

type heard struct {
	header http.Header
	body   []byte
}

func openReceiver(t *testing.T, answer func(http.ResponseWriter, *http.Request, int)) *receiver {
	t.Helper()
	s := &receiver{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.calls = append(s.calls, heard{r.Header.Clone(), body})
		n := len(s.calls)
		s.mu.Unlock()
		s.answer(w, r, n)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *receiver) heard() []heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func (h *house) webhook(name, address string, events ...string) (secret string) {
	h.t.Helper()
	private := true
	got := must[*deliveryv1.SetChannelResponse](h.t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{
		Channel: name, Kind: deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, Url: address, Events: events, PrivateNetwork: &private,
	}))
	return got.GetSecret()
}

// verified is the signature as a receiver computes it, written anew from the words of the
// Standard Webhooks specification.
func verified(secret string, c heard) bool {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, raw)
	fmt.Fprintf(mac, "%s.%s.%s", c.header.Get("webhook-id"), c.header.Get("webhook-timestamp"), c.body)
	return slices.Contains(strings.Fields(c.header.Get("webhook-signature")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// three runs the clock for three days and some hours, from one instant to the next that
// anybody waits for.
func (h *house) threeDays() {
	h.t.Helper()
	end := h.time.Now().Add(80 * time.Hour)
	for {
		h.settle()
		next, ok := h.time.Next()
		if !ok || next.After(end) {
			h.time.Set(end)
			h.settle()
			return
		}
		h.time.Set(next)
	}
}

// Goes red if: a failed webhook is not tried again as the list says, a redirect is
// followed, an address of a private network is called, one that hangs holds up others, or
// the delivery log does not show it.
func TestWebhooksOverThreeDays(t *testing.T) {
	h := start(t, Config{patience: 500 * time.Millisecond})
	var led int
	var mu sync.Mutex
	elsewhere := openReceiver(t, func(http.ResponseWriter, *http.Request, int) { mu.Lock(); led++; mu.Unlock() })
	fails := openReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusInternalServerError) })
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	hangs := openReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	redirects := openReceiver(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	mends := openReceiver(t, func(w http.ResponseWriter, _ *http.Request, nth int) {
		if nth < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	slowly := openReceiver(t, func(w http.ResponseWriter, _ *http.Request, nth int) {
		if nth == 1 {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	works := openReceiver(t, func(http.ResponseWriter, *http.Request, int) {})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	secrets := map[string]string{}
	for name, address := range map[string]string{"fails": fails.URL, "hangs": hangs.URL, "redirects": redirects.URL, "mends": mends.URL, "slowly": slowly.URL, "works": works.URL} {
		secrets[name] = h.webhook(name, address, "LeadOffered")
	}
	// What tells a machine its secrets is not taken as an address, next door or not; and a
	// name that leads to a private network is not called where none was allowed.
	for _, private := range []bool{false, true} {
		_, err := h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: "cloud", Kind: deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, Url: "https://169.254.169.254/latest", PrivateNetwork: &private})
		if kind, _ := told(err); kind != fault.Invalid {
			t.Errorf("169.254.169.254 was taken as an address: %v", err)
		}
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(elsewhere.URL, "http://"))
	must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{
		Channel: "named", Kind: deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, Url: "https://localhost:" + port + "/", Events: []string{"LeadOffered"},
	}))
	id := h.submit("hook-1", filled(1))
	h.settle()
	// Taken at once, so that there is one offer to tell of.
	who := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id}))
	began := time.Now()
	h.threeDays()
	t.Logf("three days and eight hours took %s", time.Since(began).Round(time.Millisecond))

	want := map[string][]string{
		"fails": manyOf("status 500", 8), "hangs": manyOf("timeout 0", 8), "redirects": manyOf("redirect 307", 8),
		"mends": append(manyOf("status 503", 3), "taken 200"), "slowly": {"status 429", "taken 200"}, "works": {"taken 200"}, "named": {"private-address 0"},
	}
	states := map[string]string{"fails": "given-up", "hangs": "given-up", "redirects": "given-up", "named": "given-up", "mends": "delivered", "slowly": "delivered", "works": "delivered"}
	for name, attempts := range want {
		all := h.notices(name)
		n := all[len(all)-1] // the first offer's
		var got []string
		for _, a := range n.GetAttempts() {
			got = append(got, fmt.Sprintf("%s %d", cmp.Or(a.GetFault(), "taken"), a.GetStatus()))
		}
		same(t, "the log of "+name, got, attempts)
		same(t, "the state of "+name, n.GetState(), states[name])
	}
	n := h.notices("fails")
	first := n[len(n)-1]
	span := first.GetAttempts()[7].GetAt().AsTime().Sub(first.GetAttempts()[0].GetAt().AsTime())
	if span < 65*time.Hour || span > 76*time.Hour {
		t.Errorf("eight attempts took %s, which is not about three days", span)
	}
	s := h.notices("slowly")
	if wait := s[len(s)-1].GetAttempts()[1].GetAt().AsTime().Sub(s[len(s)-1].GetAttempts()[0].GetAt().AsTime()); wait < 2*time.Hour {
		t.Errorf("asked for two hours of rest, it was called after %s", wait)
	}
	mu.Lock()
	same(t, "calls where a redirect or a private name led", led, 0)
	mu.Unlock()
	// Always the same id and body, each time signed anew.
	ids, stamps := map[string]int{}, map[string]int{}
	for _, c := range fails.heard() {
		if !verified(secrets["fails"], c) {
			t.Errorf("the signature does not fit: %v", c.header)
		}
		var e struct {
			Data struct {
				Offer int `json:"offer"`
			} `json:"data"`
		}
		if err := json.Unmarshal(c.body, &e); err != nil {
			t.Fatal(err)
		}
		if e.Data.Offer == 1 {
			ids[c.header.Get("webhook-id")+" "+string(c.body)]++
			stamps[c.header.Get("webhook-timestamp")]++
		}
	}
	same(t, "ids and bodies of one notice", len(ids), 1)
	same(t, "times of signing", len(stamps), 8)
	for _, c := range works.heard() {
		for _, personal := range []string{"Ada", "ada.", "Maschinen", "maschinen"} {
			if bytes.Contains(c.body, []byte(personal)) {
				t.Errorf("a system was told %q of the contact: %s", personal, c.body)
			}
		}
		if !bytes.Contains(c.body, []byte(`"type":"lead.offered"`)) || !bytes.Contains(c.body, []byte(`"country":"DE"`)) {
			t.Errorf("told %s", c.body)
		}
	}
	// Given up is not gone.
	fails.mu.Lock()
	fails.answer = func(http.ResponseWriter, *http.Request, int) {}
	fails.mu.Unlock()
	must[*deliveryv1.Notice](t)(h.channels().Redeliver(h.as(""), &deliveryv1.RedeliverRequest{NoticeId: first.GetNoticeId()}))
	h.settle()
	n = h.notices("fails")
	same(t, "after it was asked for again", n[len(n)-1].GetState(), "delivered")
	calls := fails.heard()
	same(t, "its id", calls[len(calls)-1].header.Get("webhook-id"), first.GetNoticeId())
	whole(t, h)
}

func manyOf(s string, n int) []string { return slices.Repeat([]string{s}, n) }

// Goes red if a secret's exchange leaves the other side without one that it knows, or a
// secret stands anywhere in the clear.
func TestSecretsAreExchanged(t *testing.T) {
	h := start(t, Config{})
	works := openReceiver(t, func(http.ResponseWriter, *http.Request, int) {})
	h.team("ana", "ben")
	h.agree(h.document())
	first := h.webhook("crm", works.URL, "LeadOffered")
	rotate := &deliveryv1.SetChannelRequest{Channel: "crm", Rotate: true, IdempotencyKey: "once"}
	second := must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), rotate)).GetSecret()
	same(t, "the same call again", must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), rotate)).GetSecret(), second)
	h.submit("s-1", filled(1))
	h.settle()
	c := works.heard()[0]
	same(t, "signed with", []bool{verified(first, c), verified(second, c), first != second}, []bool{true, true, true})
	third := must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: "crm", Rotate: true})).GetSecret()
	h.submit("s-2", filled(2))
	h.settle()
	c = works.heard()[1]
	same(t, "signed with", []bool{verified(first, c), verified(second, c), verified(third, c)}, []bool{false, true, true})

	// Nothing but title and host can be read, in answers and in the log.
	for _, ch := range must[*deliveryv1.ListChannelsResponse](t)(h.channels().ListChannels(h.as(""), &deliveryv1.ListChannelsRequest{})).GetChannels() {
		if ch.GetSet().GetSecrets() != nil {
			t.Error("the sealed secrets are handed out")
		}
	}
	var log bytes.Buffer
	if err := h.App.log.Read(t.Context(), ledger.StreamLedger, 1, h.App.log.Follower().Pos(), func(r *ledger.Record) error {
		log.Write(r.Body)
		return nil
	}, func(uint64, string) error { return nil }); err != nil {
		t.Fatal(err)
	}
	raw := must[[]byte](t)(base64.StdEncoding.DecodeString(strings.TrimPrefix(third, "whsec_")))
	if bytes.Contains(log.Bytes(), []byte(third)) || bytes.Contains(log.Bytes(), raw) || bytes.Contains(log.Bytes(), []byte(works.URL)) {
		t.Error("a secret stands in the log")
	}
}

// Goes red if a process that is killed between sending and saying so does not send again,
// or sends under another id.
func TestKilledBetweenSendingAndSayingSo(t *testing.T) {
	h := start(t, Config{})
	release := make(chan struct{})
	came := make(chan struct{}, 10)
	works := openReceiver(t, func(_ http.ResponseWriter, r *http.Request, nth int) {
		came <- struct{}{}
		if nth == 1 {
			select {
			case <-release:
			case <-r.Context().Done(): // the process died: nobody hears the answer
			}
		}
	})
	h.team("ana", "ben")
	h.agree(h.document())
	secret := h.webhook("crm", works.URL, "LeadOffered")
	id := h.submit("k-1", filled(1))
	<-came
	h.stop()
	close(release)
	h = start(t, Config{Data: h.cfg.Data, clock: h.time})
	h.settle()
	calls := works.heard()
	same(t, "calls", len(calls), 2)
	same(t, "ids", calls[1].header.Get("webhook-id"), calls[0].header.Get("webhook-id"))
	same(t, "bodies", string(calls[1].body), string(calls[0].body))
	same(t, "signed", []bool{verified(secret, calls[0]), verified(secret, calls[1])}, []bool{true, true})
	sent := 0
	for _, typ := range h.noticeTypes(id) {
		if typ == "NoticeSent" {
			sent++
		}
	}
	same(t, "said", sent, 2) // the pages' and this one
	n := h.notices("crm")
	same(t, "notices", []any{len(n), n[0].GetState(), len(n[0].GetAttempts())}, []any{1, "delivered", 1})
	whole(t, h)
}

// Of two processes that tell one sends, and the other takes over when it stops.
//
// Goes red if: the one that stands by sends as well (Worker.Active), or does not send
// when it is its turn (Delivery.Wake).
func TestOfTwoThatTellOneSends(t *testing.T) {
	came, release := make(chan string, 10), make(chan struct{})
	works := openReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		came <- r.Header.Get("webhook-id")
		select {
		case <-release:
		case <-r.Context().Done(): // whoever sent it stops
		}
	})
	comes := func() string {
		t.Helper()
		select {
		case id := <-came:
			return id
		case <-time.After(30 * time.Second):
			t.Fatal("nothing is sent")
			return ""
		}
	}
	root := t.TempDir()
	front := start(t, Config{
		Services: slices.DeleteFunc(slices.Clone(allServices), func(name string) bool { return name == delivery.Name }),
		Data:     filepath.Join(root, "front"), Keys: filepath.Join(root, "keys"), NATSListen: "127.0.0.1:-1",
	})
	tells := func(data string) *house {
		return start(t, Config{
			Services: []string{delivery.Name}, Data: filepath.Join(root, data), Keys: filepath.Join(root, "keys"), HTTP: "-",
			NATSURL: front.App.log.Address(), Peers: []string{"routing=" + front.GRPCAddr}, clock: front.time,
		})
	}
	sends, stands := tells("one"), tells("two")
	front.parts = []*App{front.App, sends.App, stands.App}
	front.team("ana", "ben")
	front.agree(front.document())
	sends.webhook("crm", works.URL, "LeadOffered")
	front.settle()
	if stands.tellDesk.Active() {
		sends, stands = stands, sends
	}
	same(t, "at work", []bool{sends.tellDesk.Active(), stands.tellDesk.Active()}, []bool{true, false})

	front.submit("k-1", filled(1))
	first := comes()
	still := make(chan error, 1)
	go func() { still <- stands.Settle(t.Context()) }()
	select {
	case <-came:
		t.Error("the one that stands by sends as well")
	case err := <-still:
		if err != nil {
			t.Error(err)
		}
	}
	// It stops before it has heard an answer: the other one sends that again.
	front.parts = []*App{front.App, stands.App}
	sends.stop()
	same(t, "what the other one sends", comes(), first)
	close(release)
	front.submit("k-2", filled(2))
	front.settle()
	same(t, "calls", len(works.heard()), 3)
	same(t, "at work after that", stands.tellDesk.Active(), true)
}

// Whoever the lead is offered to opens its page; nobody else's look counts, and no
// browser's that fetches ahead.
func TestThePageOfALeadIsOpened(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	id := h.submit("p-1", filled(1))
	h.settle()
	who := h.lead(id).GetOfferedTo()
	for _, other := range []string{"ana", "ben", "chloe"} {
		if other != who {
			must[*deliveryv1.RecordOpenedResponse](t)(h.channels().RecordOpened(h.as(other), &deliveryv1.RecordOpenedRequest{LeadId: id}))
		}
	}
	same(t, "after others looked", stepsOf(h.receipt(id)), []string{"1: offered, queued console, sent console"})
	h.look(who, "/leads/"+id, http.Header{"Sec-Purpose": {"prefetch"}})
	same(t, "after a browser fetched ahead", stepsOf(h.receipt(id)), []string{"1: offered, queued console, sent console"})
	h.look(who, "/leads/"+id, nil)
	h.look(who, "/leads/"+id, nil)
	same(t, "after they looked", stepsOf(h.receipt(id)), []string{"1: offered, queued console, sent console, opened console"})
}

// look opens a page of the console as somebody who is signed in.
func (h *house) look(handle, path string, header http.Header) {
	h.t.Helper()
	jar := &oneCookie{}
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	base := "http://" + h.ConsoleAddr
	resp, err := client.PostForm(base+"/signin", url.Values{"token": {h.tokens[handle]}})
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, base+path, http.NoBody)
	if err != nil {
		h.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if resp, err = client.Do(req); err != nil {
		h.t.Fatal(err)
	}
	body := must[[]byte](h.t)(io.ReadAll(resp.Body))
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%s was answered with %d: %.300s", path, resp.StatusCode, body)
	}
}

// oneCookie keeps the last cookie.
type oneCookie struct{ last []*http.Cookie }

func (c *oneCookie) SetCookies(_ *url.URL, cookies []*http.Cookie) { c.last = cookies }
func (c *oneCookie) Cookies(*url.URL) []*http.Cookie               { return c.last }

// A mail server that says no is asked again for hours, one that knows nobody by that
// address is not; and an offer that ran out is not mailed any more.
func TestMailsThatAreNotTaken(t *testing.T) {
	office := openPostOffice(t)
	office.refuse = func(_ string, nth int) int {
		if nth < 3 {
			return 451
		}
		return 0
	}
	h := start(t, Config{SMTPURL: office.url()})
	h.postal("ana", "ben", "chloe")
	h.agree(h.document())
	h.submit("m-1", filled(1))
	h.settle()
	h.time.Set(monday.Add(2 * time.Minute))
	h.settle()
	h.time.Set(monday.Add(20 * time.Minute))
	h.settle()
	n := h.notices("email")[0]
	same(t, "a server that was busy twice", []any{n.GetState(), len(n.GetAttempts())}, []any{"sent", 3})
	if strings.Contains(office.letters(t)[0].text, "/o/") {
		t.Error("a mail links to a public door that nobody named")
	}
	has(t, office.letters(t)[0].text, "http://"+strings.Split(h.ConsoleAddr, ":")[0])

	office.mu.Lock()
	office.refuse = func(string, int) int { return 550 }
	office.mu.Unlock()
	h.submit("m-2", filled(2))
	h.settle()
	n = h.notices("email")[0]
	same(t, "nobody by that address", []any{n.GetState(), len(n.GetAttempts()), n.GetAttempts()[0].GetFault(), n.GetAttempts()[0].GetStatus()}, []any{"given-up", 1, "refused", int32(550)})

	office.mu.Lock()
	office.refuse = func(string, int) int { return 451 }
	office.mu.Unlock()
	id := h.submit("m-3", filled(3))
	h.settle()
	who := h.lead(id).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(who), &routingv1.AcceptRequest{LeadId: id}))
	h.time.Set(monday.Add(30 * time.Minute))
	h.settle()
	n = must[*deliveryv1.ListNoticesResponse](t)(h.channels().ListNotices(h.as(""), &deliveryv1.ListNoticesRequest{LeadId: id, Channel: "email"})).GetNotices()[0]
	same(t, "an offer that was taken meanwhile", []any{n.GetState(), n.GetAttempts()[1].GetFault()}, []any{"given-up", "superseded"})
	same(t, "mails", len(office.letters(t)), 1)
}

// One channel that hangs holds up none of the others, and a room gets its card.
func TestASlowChannelHoldsUpNobody(t *testing.T) {
	h := start(t, Config{patience: time.Minute, PublicURL: "https://leads.example.com"})
	hang := make(chan struct{})
	hangs := openReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(hang) })
	said := make(chan []byte, 100)
	room := openReceiver(t, func(http.ResponseWriter, *http.Request, int) {})
	room.answer = func(http.ResponseWriter, *http.Request, int) {
		calls := room.heard()
		said <- calls[len(calls)-1].body
	}
	private := true
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.webhook("hangs", hangs.URL)
	for name, kind := range map[string]deliveryv1.ChannelKind{"room": deliveryv1.ChannelKind_CHANNEL_KIND_SLACK, "team": deliveryv1.ChannelKind_CHANNEL_KIND_TEAMS} {
		must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: name, Kind: kind, Url: room.URL + "/services/T0/secret", PrivateNetwork: &private}))
	}
	for n := range 10 {
		h.submit(fmt.Sprintf("slow-%d", n), filled(n))
	}
	cards := map[string]int{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 20 {
		var body []byte
		select {
		case body = <-said:
		case <-ctx.Done():
			t.Fatalf("only %v were told within 30 s", cards)
		}
		switch {
		case bytes.Contains(body, []byte(`"contentType":"application/vnd.microsoft.card.adaptive"`)):
			cards["teams"]++
		case bytes.Contains(body, []byte(`"mrkdwn"`)):
			cards["slack"]++
		}
		if bytes.Contains(body, []byte("/o/")) {
			t.Errorf("a room was given a link that answers for one person: %s", body)
		}
	}
	same(t, "cards", cards, map[string]int{"teams": 10, "slack": 10})
	if n := len(hangs.heard()); n < 1 || n > 4 {
		t.Errorf("%d calls at once to a system that answers none", n)
	}
}

// A pause keeps what comes up, a removal gives it up, and a trial says what came of it.
func TestChannelsArePausedAndRemoved(t *testing.T) {
	h := start(t, Config{})
	works := openReceiver(t, func(http.ResponseWriter, *http.Request, int) {})
	h.team("ana", "ben", "chloe")
	h.agree(h.document())
	h.webhook("crm", works.URL, "LeadOffered")
	tried := must[*deliveryv1.TestChannelResponse](t)(h.channels().TestChannel(h.as(""), &deliveryv1.TestChannelRequest{Channel: "crm"}))
	same(t, "a trial", []any{tried.GetStatus(), tried.GetFault(), len(works.heard())}, []any{int32(200), "", 1})
	pause := func(on bool) {
		t.Helper()
		must[*deliveryv1.SetChannelResponse](t)(h.channels().SetChannel(h.as(""), &deliveryv1.SetChannelRequest{Channel: "crm", Paused: &on}))
	}
	pause(true)
	h.submit("c-1", filled(1))
	h.settle()
	same(t, "while it is paused", []any{len(works.heard()), h.notices("crm")[0].GetState()}, []any{1, "waiting"})
	pause(false)
	h.settle()
	same(t, "after it was resumed", []any{len(works.heard()), h.notices("crm")[0].GetState()}, []any{2, "delivered"})
	pause(true)
	h.submit("c-2", filled(2))
	h.settle()
	must[*deliveryv1.Channel](t)(h.channels().RemoveChannel(h.as(""), &deliveryv1.RemoveChannelRequest{Channel: "crm"}))
	h.settle()
	same(t, "after it was removed", []any{len(works.heard()), h.notices("crm")[0].GetState(), h.notices("crm")[0].GetAttempts()[0].GetFault()}, []any{2, "given-up", "gone"})
	h.submit("c-3", filled(3))
	h.settle()
	same(t, "notices of a channel that is gone", len(h.notices("crm")), 2)
	_, err := h.channels().SetChannel(h.as("ana"), &deliveryv1.SetChannelRequest{Channel: "own", Kind: deliveryv1.ChannelKind_CHANNEL_KIND_WEBHOOK, Url: "https://a.example/"})
	if kind, _ := told(err); kind != fault.Denied {
		t.Errorf("somebody of sales made a channel: %v", err)
	}
}

// A log of a time before there was delivery lets it in once, and verifies.
//
// Goes red if: nobody lets a new service in (welcome), it is let in more than once, or the
// auditor does not take the key from the record that names it (verifying.added).
func TestAnOlderLogLetsDeliveryIn(t *testing.T) {
	before := []string{"audit", "agreement", "intake", "qualification", "routing", "feedback"}
	h := start(t, Config{born: before, Services: []string{"feedback", "audit", "agreement", "routing", "qualification", "intake"}, NATSListen: "127.0.0.1:-1"})
	h.team("ana", "ben")
	h.agree(h.document())
	old := h.submit("old-1", filled(1))
	h.settle()
	h.stop()
	for range 2 {
		tokens := h.tokens
		h = start(t, Config{Data: h.cfg.Data, clock: h.time})
		h.tokens = tokens
		h.settle()
		same(t, "what the log says of itself", h.types(ledger.SubjectSelf), []string{"LedgerOpened", "ServiceKeyAdded"})
		same(t, "what is told of what was before", h.noticeTypes(old), []string(nil))
		fresh := h.submit("new-"+h.time.Now().String(), filled(2))
		h.settle()
		same(t, "what is told from now on", h.noticeTypes(fresh), []string{"NoticeQueued", "NoticeSent"})
		whole(t, h)
		h.stop()
		h.time.Set(h.time.Now().Add(time.Minute))
	}
}

// The commands, against a running system.
func TestDeliveryByCommand(t *testing.T) {
	h := start(t, Config{})
	works := openReceiver(t, func(w http.ResponseWriter, _ *http.Request, nth int) {
		if nth == 2 {
			w.WriteHeader(http.StatusGone)
		}
	})
	h.team("ana", "ben")
	h.agree(h.document())
	baton := func(args ...string) string {
		t.Helper()
		return ok(t, append(args, "--server", h.GRPCAddr, "--token", h.admin)...)
	}
	address := filepath.Join(t.TempDir(), "crm.url")
	if err := os.WriteFile(address, []byte(works.URL+"/hook?key=hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	added := baton("channel", "add", "crm", "--kind", "webhook", "--url-file", address, "--events", "LeadOffered", "--private-network")
	has(t, added, "Signing secret, shown this once: whsec_", "127.0.0.1", "may be a private one")
	has(t, baton("channel", "test", "crm"), "It was taken. (200)")
	id := h.submit("c-1", filled(1))
	h.settle()
	list := baton("channel", "list")
	has(t, list, "console", "crm", "webhook", "gone")
	if strings.Contains(added+list, "hush") {
		t.Error("the address is shown")
	}
	given := baton("notice", "list", "--state", "given-up")
	has(t, given, "gone (410)", id)
	notice := strings.Fields(strings.Split(given, "\n")[1])[0]
	// On a fast machine it is there before the answer is.
	if again := baton("notice", "redeliver", notice); !strings.Contains(again, "It is waiting on crm.") && !strings.Contains(again, "It is delivered on crm.") {
		t.Errorf("sent again:\n%s", again)
	}
	h.settle()
	has(t, baton("notice", "list", "--lead", id, "--channel", "crm"), "delivered", "taken (200)")
	has(t, baton("lead", "receipt", id), "offered", "queued", "console", "sequence")
	has(t, baton("channel", "change", "crm", "--pause"), "paused")
	has(t, baton("channel", "remove", "crm"), "Removed.")
	twice := run(t, "channel", "add", "console", "--kind", "webhook", "--server", h.GRPCAddr, "--token", h.admin)
	same(t, "a channel that is there", twice.status, statusUsage)
}
