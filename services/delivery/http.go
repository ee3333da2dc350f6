package delivery

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // The page of an offer.
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Pages are the pages of offers on the public door: /o/TOKEN.
//
// Looking at one changes nothing, whoever looks and however: what scans mails for danger
// follows every address in them. An answer is a form that somebody sends. The token is
// all that is needed, so there is no cookie and nothing to forge; it is worth something
// only while the offer stands, and an answer ends the offer. Whoever took the lead by it can
// tell by the same page what came of each call, for a month, and nothing else.
type Pages struct {
	Make *Maker
	// Conn reaches routing, which alone says who may take a lead.
	Conn grpc.ClientConnInterface
	// Pass answers a token with which one call is made in a member's name.
	Pass func(member, method string) string
	// Logger takes what an operator should know; nil = nothing is logged.
	Logger *slog.Logger
}

// Serves says whether an address is one of these pages.
func (p *Pages) Serves(path string) bool { return strings.HasPrefix(path, answerPath) }

//go:embed templates/offer.html
var offerHTML string

var offerPage = template.Must(template.New("offer").Parse(offerHTML))

// offerView is what a page shows.
type offerView struct {
	Title  string
	Text   []string
	Facts  []Fact
	Open   bool
	Action string
	Seen   string
	Page   string
	Nonce  string
	// Reasons are the agreed ones for declining.
	Reasons []agreement.Reason
	// Touches are what can come of a touch, once the lead is theirs: one press each. Once
	// names the page as it was looked at, so that pressed twice is pressed once.
	Touches []agreement.Disposition
	Once    uint64
}

// maxForm is the longest answer.
const maxForm = 16 << 10

// ServeHTTP answers one request.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+nonce+"'; script-src 'nonce-"+nonce+"'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	token, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, answerPath), "/")
	id, ours := p.Make.Links.noticeOfToken(token)
	if !ours || rest != "" && rest != "seen" {
		p.show(w, r, http.StatusNotFound, nonce, &offerView{Title: "There is nothing here", Text: []string{"This address is not one of ours, or a part of it is missing. Take it whole from the message."}})
		return
	}
	o, err := p.offer(r.Context(), id)
	if err != nil {
		p.fail(w, r, nonce, err)
		return
	}
	switch {
	case r.Method == http.MethodPost && rest == "seen":
		if err := p.opened(r.Context(), o); err != nil {
			p.fail(w, r, nonce, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		p.answer(w, r, nonce, token, o)
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && rest == "":
		p.show(w, r, http.StatusOK, nonce, p.view(token, o))
	default:
		h.Set("Allow", "GET, HEAD, POST")
		p.show(w, r, http.StatusMethodNotAllowed, nonce, &offerView{Title: "Not like this", Text: []string{"Open the address in a browser."}})
	}
}

// offered is an offer as a link finds it.
type offered struct {
	notice *leadv1.NoticeQueued
	lead   string
	state  *lead.State
	now    time.Time
	told   *ledger.Event
	// opened says that the notice was opened before.
	opened bool
	// fate is what ended the offer, at an instant; nil = it stands.
	fate *ledger.Event
	// touch is the last one that was told of whom the notice went to; nil = none was.
	touch *ledger.Event
	// last is the lead's last event.
	last uint64
}

// offer finds out how the offer of a notice stands.
func (p *Pages) offer(ctx context.Context, id string) (*offered, error) {
	m := p.Make
	o := &offered{lead: leadOf(id), state: &lead.State{ID: leadOf(id)}, now: m.Log.Clock().Now()}
	if err := m.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	events, err := m.Log.History(ctx, lead.SubjectOf(o.lead))
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if q, ok := e.Body.(*leadv1.NoticeQueued); ok && q.GetNoticeId() == id {
			o.notice = q
		}
	}
	if o.notice == nil {
		return nil, fault.New(fault.NotFound, "there is no such message")
	}
	for _, e := range events {
		held := o.holds()
		o.state.Evolve(e.Body, e.Occurred, e.Recorded)
		o.last = e.Seq
		switch b := e.Body.(type) {
		case *leadv1.LeadOffered:
			if b.GetOffer() == o.notice.GetOffer() {
				o.told = e
			}
		case *leadv1.OutcomeRecorded:
			if b.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_TOUCH && b.GetMember() == o.notice.GetMember() {
				o.touch = e
			}
		case *leadv1.NoticeOpened:
			o.opened = o.opened || b.GetNoticeId() == id
		}
		if held && !o.holds() && o.fate == nil {
			o.fate = e
		}
	}
	if o.told == nil {
		return nil, fault.New(fault.NotFound, "this message is of no offer")
	}
	return o, nil
}

// holds says whether the lead is offered to whom the notice went, by the same offer.
func (o *offered) holds() bool {
	return o.state.State == leadv1.State_STATE_OFFERED && o.state.Offers == o.notice.GetOffer() && o.state.OfferedTo == o.notice.GetMember()
}

// open says whether the offer can be answered.
func (o *offered) open() bool { return o.holds() && o.now.Before(o.state.TakeBy) }

func (p *Pages) view(token string, o *offered) *offerView {
	at := p.Make.local(o.state.Pool, o.now)
	if !o.open() {
		v := &offerView{Title: "This offer does not stand any more", Text: over(o, at), Page: p.Make.Links.Page(o.lead)}
		if o.theirs() {
			v.Title, v.Action, v.Once, v.Touches = "This lead is with you", answerPath+token, o.last, p.touches()
			if o.touch != nil {
				v.Text = append(v.Text, "The last touch that is recorded was at "+at(o.touch.Occurred)+cameOf(v.Touches, o.touch)+".")
			}
		}
		return v
	}
	v := &offerView{
		Title: "A lead is offered to you", Open: true, Action: answerPath + token, Seen: answerPath + token + "/seen",
		Text:  []string{"It is to be taken by " + at(o.state.TakeBy) + ".", o.told.Body.(*leadv1.LeadOffered).GetSummary()},
		Facts: p.Make.factsOf(o.state, o.told, o.now), Page: p.Make.Links.Page(o.lead),
	}
	p.Make.Log.Follower().View(func(view *ledger.View) {
		if version := p.Make.Register.InForce(view.Now); version != nil {
			v.Reasons = version.Agreement.Reasons()
		}
	})
	return v
}

// touchesFor is how long after somebody took a lead its touches can be told by the link.
const touchesFor = 30 * 24 * time.Hour

// theirs says whether the lead is with whom the notice went, by the same offer, so that they
// can tell by the link what came of a touch.
func (o *offered) theirs() bool {
	holder, held := o.state.Held()
	return held && o.state.State != leadv1.State_STATE_OFFERED && holder == o.notice.GetMember() && o.state.Offers == o.notice.GetOffer() && o.now.Before(o.state.AcceptedAt.Add(touchesFor))
}

// touches are what can come of a touch, as agreed; nil = nothing is.
func (p *Pages) touches() (list []agreement.Disposition) {
	p.Make.Log.Follower().View(func(view *ledger.View) {
		if version := p.Make.Register.InForce(view.Now); version != nil {
			list = version.Agreement.Dispositions()
		}
	})
	return list
}

// cameOf says what came of a touch; empty where that was not said.
func cameOf(list []agreement.Disposition, touch *ledger.Event) string {
	id := touch.Body.(*leadv1.OutcomeRecorded).GetDisposition()
	for _, d := range list {
		if d.ID == id {
			return ": " + d.Title
		}
	}
	return ""
}

// tell records what came of a touch in the name of whom the notice was sent to.
func (p *Pages) tell(w http.ResponseWriter, r *http.Request, nonce, token string, o *offered) {
	if !o.theirs() {
		p.show(w, r, http.StatusConflict, nonce, p.view(token, o))
		return
	}
	member := o.notice.GetMember()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	_, err := feedbackv1.NewFeedbackServiceClient(p.Conn).RecordOutcome(access.WithToken(ctx, p.Pass(member, feedbackv1.FeedbackService_RecordOutcome_FullMethodName)), &feedbackv1.RecordOutcomeRequest{
		LeadId: o.lead, Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call", Direction: lead.DirectionOut, Disposition: strings.TrimSpace(r.PostForm.Get("disposition")),
		IdempotencyKey: "link:" + o.notice.GetNoticeId() + ":" + strings.TrimSpace(r.PostForm.Get("once")),
	})
	if err != nil {
		p.refused(w, r, nonce, token, o, err)
		return
	}
	http.Redirect(w, r, answerPath+token, http.StatusSeeOther)
}

// over says what became of an offer, and where the lead is as far as the one whom it was
// offered to may know without signing in: that somebody else has it, but not who.
func over(o *offered, at func(time.Time) string) []string {
	said := "The offer ran out at " + at(o.state.TakeBy) + "."
	if o.fate != nil {
		when := at(o.fate.Occurred)
		switch b := o.fate.Body.(type) {
		case *leadv1.OfferAccepted:
			said = "You accepted the lead at " + when + "."
		case *leadv1.OfferRejected:
			said = "You declined the lead at " + when + ", with the reason " + b.GetReason() + "."
		case *leadv1.OfferTimedOut:
			said = "The offer ran out at " + at(b.GetDueAt().AsTime()) + ", unanswered."
		case *leadv1.LeadReassigned:
			said = "The lead was moved at " + when + "."
		default:
			said = "The offer ended at " + when + "."
		}
	}
	return []string{said, whereNow(o)}
}

func whereNow(o *offered) string {
	s, you := o.state, o.notice.GetMember()
	holder, held := s.Held()
	switch {
	case held && holder == you && s.State == leadv1.State_STATE_OFFERED:
		return "It is offered to you: answer by the newest message about it, or on its page."
	case held && holder == you:
		return "It is with you."
	case held:
		return "It is with somebody else now."
	}
	switch s.State {
	case leadv1.State_STATE_NURTURING:
		return "It is with marketing now."
	case leadv1.State_STATE_WON, leadv1.State_STATE_LOST, leadv1.State_STATE_REFUSED:
		return "It is closed."
	}
	return "It is with nobody now."
}

// answer takes or declines the offer in the name of whom it was sent to.
func (p *Pages) answer(w http.ResponseWriter, r *http.Request, nonce, token string, o *offered) {
	if err := r.ParseForm(); err != nil {
		p.show(w, r, http.StatusBadRequest, nonce, &offerView{Title: "That cannot be read", Text: []string{"Go back and send the form again."}})
		return
	}
	if r.PostForm.Get("answer") == "touch" {
		p.tell(w, r, nonce, token, o)
		return
	}
	if !o.open() {
		p.show(w, r, http.StatusConflict, nonce, p.view(token, o))
		return
	}
	member := o.notice.GetMember()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	routing := routingv1.NewRoutingServiceClient(p.Conn)
	// The key is the link's own: pressed twice it is pressed once.
	once := "link:" + o.notice.GetNoticeId()
	var err error
	switch r.PostForm.Get("answer") {
	case "accept":
		_, err = routing.Accept(access.WithToken(ctx, p.Pass(member, routingv1.RoutingService_Accept_FullMethodName)), &routingv1.AcceptRequest{LeadId: o.lead, IdempotencyKey: once})
	case "decline":
		reason := strings.TrimSpace(r.PostForm.Get("reason"))
		if reason == "" {
			v := p.view(token, o)
			v.Text = append([]string{"Declining needs a reason from the list."}, v.Text...)
			p.show(w, r, http.StatusBadRequest, nonce, v)
			return
		}
		_, err = routing.Reject(access.WithToken(ctx, p.Pass(member, routingv1.RoutingService_Reject_FullMethodName)), &routingv1.RejectRequest{
			LeadId: o.lead, Reason: reason, Note: strings.TrimSpace(r.PostForm.Get("note")), IdempotencyKey: once,
		})
	default:
		p.show(w, r, http.StatusBadRequest, nonce, p.view(token, o))
		return
	}
	if err != nil {
		p.refused(w, r, nonce, token, o, err)
		return
	}
	// Who answers has looked; that it could not be noted takes nothing from the answer.
	if err := p.opened(ctx, o); err != nil && p.Logger != nil {
		p.Logger.WarnContext(ctx, "that a message was opened could not be noted", "error", err.Error())
	}
	http.Redirect(w, r, answerPath+token, http.StatusSeeOther)
}

// refused shows how the offer stands, and why the answer was not taken.
func (p *Pages) refused(w http.ResponseWriter, r *http.Request, nonce, token string, o *offered, err error) {
	code := http.StatusConflict
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Internal, codes.Unknown:
		p.fail(w, r, nonce, access.FaultOf(err))
		return
	case codes.InvalidArgument:
		code = http.StatusBadRequest
	case codes.PermissionDenied, codes.Unauthenticated:
		code = http.StatusForbidden
	}
	again, lookErr := p.offer(r.Context(), o.notice.GetNoticeId())
	if lookErr != nil {
		again = o
	}
	v := p.view(token, again)
	v.Text = append([]string{"Your answer was not taken: " + access.FaultOf(err).Error() + "."}, v.Text...)
	p.show(w, r, code, nonce, v)
}

// opened notes that the person looked, once.
func (p *Pages) opened(ctx context.Context, o *offered) error {
	if o.opened {
		return nil
	}
	return recordOpened(ctx, p.Make.Log, o.lead, o.notice.GetNoticeId(), "link", o.notice.GetMember())
}

func (p *Pages) fail(w http.ResponseWriter, r *http.Request, nonce string, err error) {
	if fault.Is(err, fault.NotFound) {
		p.show(w, r, http.StatusNotFound, nonce, &offerView{Title: "There is nothing here", Text: []string{"This address leads to no offer."}})
		return
	}
	if p.Logger != nil && r.Context().Err() == nil {
		p.Logger.WarnContext(r.Context(), "the page of an offer could not be made", "error", err.Error())
	}
	w.Header().Set("Retry-After", "5")
	p.show(w, r, http.StatusServiceUnavailable, nonce, &offerView{Title: "No answer", Text: []string{"Nothing is lost; try again in a moment."}})
}

func (p *Pages) show(w http.ResponseWriter, r *http.Request, code int, nonce string, v *offerView) {
	v.Nonce = nonce
	var out bytes.Buffer
	if err := offerPage.Execute(&out, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(out.Bytes())
	}
}
