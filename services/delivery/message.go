package delivery

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"

	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Person is a member as a message needs them.
type Person struct {
	Name, Email string
	// Gone says that they are not known, or work here no more.
	Gone bool
}

// Keys opens and makes what is secret.
type Keys interface {
	Seal(ctx context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error)
	Open(ctx context.Context, sealed *leadv1.Sealed, aad []byte) ([]byte, error)
	MAC(purpose string, parts ...[]byte) []byte
}

// Maker makes messages. They hold what decisions may read of a lead, and nothing of
// who it is: no name, no address, no number, no company.
type Maker struct {
	Log      *ledger.Ledger
	Book     *Book
	Keys     Keys
	Register *agreement.Register
	// Who answers a member by their handle.
	Who func(ctx context.Context, handle string) (Person, error)
	// Links make addresses.
	Links Links
}

// Message is what is to be told, in words and as data.
type Message struct {
	ID string
	// At is when the attempt is made.
	At             time.Time
	Subject, Intro string
	Facts          []Fact
	// To is who is told, where it is one person.
	To Person
	// Answer is the address of the page that takes or declines the offer; empty = this
	// message has none. Page is where the lead is shown; empty = nobody said where.
	Answer, Page string
	// Event is the same for systems.
	Event Event
}

// Fact is a name and what it is.
type Fact struct{ Name, Value string }

// Event is what a system is told: thin, and nothing personal.
type Event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data are the facts of an event. What is not known is left out.
type Data struct {
	LeadID           string     `json:"lead_id"`
	EventID          string     `json:"event_id"`
	Sequence         uint64     `json:"sequence"`
	RecordedAt       time.Time  `json:"recorded_at"`
	AgreementVersion int64      `json:"agreement_version,omitempty"`
	State            string     `json:"state"`
	Stage            string     `json:"stage,omitempty"`
	Source           string     `json:"source,omitempty"`
	Country          string     `json:"country,omitempty"`
	Employees        int64      `json:"employees,omitempty"`
	Industry         string     `json:"industry,omitempty"`
	Role             string     `json:"role,omitempty"`
	Product          string     `json:"product,omitempty"`
	Language         string     `json:"language,omitempty"`
	Pool             string     `json:"pool,omitempty"`
	Rule             string     `json:"rule,omitempty"`
	Owner            string     `json:"owner,omitempty"`
	Member           string     `json:"member,omitempty"`
	From             string     `json:"from,omitempty"`
	To               string     `json:"to,omitempty"`
	Tell             []string   `json:"tell,omitempty"`
	Offer            int32      `json:"offer,omitempty"`
	TakeBy           *time.Time `json:"take_by,omitempty"`
	Reason           string     `json:"reason,omitempty"`
	Outcome          string     `json:"outcome,omitempty"`
	Clock            string     `json:"clock,omitempty"`
	Step             int32      `json:"step,omitempty"`
	// Campaign that brought the lead.
	Campaign string `json:"campaign,omitempty"`
	// Of a touch or a deal.
	Channel     string `json:"channel,omitempty"`
	Direction   string `json:"direction,omitempty"`
	Disposition string `json:"disposition,omitempty"`
	Reached     bool   `json:"reached,omitempty"`
	DealStage   string `json:"deal_stage,omitempty"`
	ValueMinor  int64  `json:"value_minor,omitempty"`
	Currency    string `json:"currency,omitempty"`
	// Feedback is what sales learned; nil = the event is another.
	Feedback *Feedback `json:"feedback,omitempty"`
}

// Feedback is what sales learned from a lead, without its free text.
type Feedback struct {
	Interest int32    `json:"interest,omitempty"`
	Ease     int32    `json:"ease,omitempty"`
	Why      []string `json:"why,omitempty"`
	Talk     string   `json:"talk,omitempty"`
	Missing  []string `json:"missing,omitempty"`
	Vertical string   `json:"vertical,omitempty"`
	Persona  string   `json:"persona,omitempty"`
	Phrases  []string `json:"phrases,omitempty"`
}

// channel answers a channel as it stands, and its secrets.
func (m *Maker) channel(ctx context.Context, id string) (*deliveryv1.ChannelSet, *deliveryv1.ChannelSecrets, error) {
	var set *deliveryv1.ChannelSet
	m.Log.Follower().View(func(*ledger.View) {
		if c := m.Book.channels[id]; c != nil {
			set = c.Set
		}
	})
	if set == nil {
		return &deliveryv1.ChannelSet{Channel: id, Removed: true}, nil, nil
	}
	secrets, err := openSecrets(ctx, m.Keys, set)
	return set, secrets, err
}

// message makes what is to be sent; the outcome says why nothing is.
func (m *Maker) message(ctx context.Context, n *Notice) (*Message, outcome, error) {
	events, err := m.Log.History(ctx, lead.SubjectOf(n.Lead))
	if err != nil {
		return nil, outcome{}, err
	}
	now := m.Log.Clock().Now()
	s := &lead.State{ID: n.Lead}
	var told *ledger.Event
	var then *lead.State
	for _, e := range events {
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		if e.ID == n.EventID {
			told, then = e, s.Clone()
		}
	}
	switch {
	case told == nil:
		return nil, outcome{fault: faultUnreadable, final: true}, nil
	case !stands(s, n, now):
		return nil, outcome{fault: faultSuperseded, final: true}, nil
	}
	out := &Message{ID: n.ID, At: now, Page: m.Links.Page(n.Lead), Event: eventOf(told, then)}
	if n.Channelled == deliveryv1.ChannelKind_CHANNEL_KIND_EMAIL {
		if out.To, err = m.Who(ctx, n.Member); err != nil {
			return nil, outcome{}, err
		}
		switch {
		case out.To.Gone:
			return nil, outcome{fault: faultGone, final: true}, nil
		case out.To.Email == "":
			return nil, outcome{fault: faultNoAddress, final: true}, nil
		}
		// Whoever has the address can answer, so it goes to one person alone.
		if n.Kind == leadv1.NoticeKind_NOTICE_KIND_OFFER || n.Kind == leadv1.NoticeKind_NOTICE_KIND_REMINDER {
			out.Answer = m.Links.Answer(n.ID)
		}
	}
	out.Subject, out.Intro = wordsOf(told, n, s, m.local(s.Pool, now))
	out.Facts = m.factsOf(s, told, now)
	return out, outcome{}, nil
}

// local answers how a pool's people write an instant.
func (m *Maker) local(pool string, now time.Time) func(time.Time) string {
	zone := func(t time.Time) time.Time { return t.UTC() }
	m.Log.Follower().View(func(*ledger.View) {
		v := m.Register.InForce(now)
		if v == nil {
			return
		}
		if p, ok := v.Agreement.Pool(pool); ok {
			if c, ok := v.Agreement.Calendar(p.Calendar); ok {
				zone = c.Local
			}
		}
	})
	return func(t time.Time) string { return zone(t).Format("Monday 2006-01-02 15:04 MST") }
}

// wordsOf says what happened, as a subject and a sentence.
func wordsOf(told *ledger.Event, n *Notice, s *lead.State, at func(time.Time) string) (subject, intro string) {
	who := "you"
	if !personal(n.Channelled) {
		who = n.Member
	}
	switch b := told.Body.(type) {
	case *leadv1.LeadOffered:
		by := at(b.GetTakeBy().AsTime())
		return "A lead for " + who + ", to be taken by " + by, b.GetSummary()
	case *leadv1.OfferReminded:
		by := at(s.TakeBy)
		return "Reminder: the lead offered to " + who + " is to be taken by " + by, "The offer stands, and nobody has answered it yet."
	case *leadv1.ClockReminded:
		return "Clock " + b.GetClock().GetClock() + " of a lead is about to run out", "The clock was started at " + at(b.GetClock().GetStartedAt().AsTime()) + " and still runs. " + standing(s)
	case *leadv1.ClockEscalated:
		intro := standing(s)
		if b.GetText() != "" {
			intro = oneLine(b.GetText()) + " " + intro
		}
		return fmt.Sprintf("Clock %s of a lead ran out (step %d)", b.GetClock().GetClock(), b.GetStep()), intro
	case *leadv1.LeadReassigned:
		switch {
		case personal(n.Channelled) && n.Member == b.GetFrom():
			return "A lead was moved away from you", "The reason is: " + b.GetReason() + "."
		case personal(n.Channelled):
			return "A lead was moved to you", "The reason is: " + b.GetReason() + ". " + standing(s)
		}
		from, to := b.GetFrom(), b.GetTo()
		if from == "" {
			from = "nobody"
		}
		if to == "" {
			to = "whoever the rules choose"
		}
		return "A lead was moved from " + from + " to " + to, "The reason is: " + b.GetReason() + "."
	}
	return "A lead: " + strings.ToLower(spaced(shortType(told.Type))), standing(s)
}

// standing says where a lead stands in one sentence.
func standing(s *lead.State) string {
	switch {
	case s.OfferedTo != "":
		return "It is offered to " + s.OfferedTo + "."
	case s.Owner != "":
		return "It is with " + s.Owner + "."
	}
	return "It is with nobody of sales; its state is " + lead.StateWord(s.State) + "."
}

// factsOf are what may be told of a lead: what decisions read of it, and where it stands.
func (m *Maker) factsOf(s *lead.State, _ *ledger.Event, now time.Time) []Fact {
	out := []Fact{{"Lead", s.ID}}
	add := func(name, value string) {
		if value != "" {
			out = append(out, Fact{name, oneLine(value)})
		}
	}
	add("Stage", lead.StageWord(s.Stage))
	f := s.Features
	add("Country", f.GetCountry())
	if f.GetEmployees() > 0 {
		add("Employees", strconv.FormatInt(f.GetEmployees(), 10))
	}
	add("Industry", f.GetIndustry())
	add("Role", f.GetRole())
	add("Product", f.GetProduct())
	add("Language", f.GetLanguage())
	if f.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTACT {
		add("Wish", "to be contacted")
	}
	add("Source", s.Source)
	add("Received", m.local(s.Pool, now)(s.ReceivedAt))
	add("Pool", s.Pool)
	add("Why qualified", s.Explanation.GetSummary())
	return out
}

// eventOf is an event as a system is told of it, with the lead as it stood then: the
// same at every attempt.
func eventOf(e *ledger.Event, s *lead.State) Event {
	f := s.Features
	d := Data{
		LeadID: s.ID, EventID: e.ID, Sequence: e.Seq, RecordedAt: e.Recorded, AgreementVersion: e.Agreement, State: lead.StateWord(s.State), Stage: lead.StageWord(s.Stage),
		Source: s.Source, Country: f.GetCountry(), Employees: f.GetEmployees(), Industry: f.GetIndustry(), Role: f.GetRole(), Product: f.GetProduct(), Language: f.GetLanguage(),
		Pool: s.Pool, Rule: s.Rule, Owner: s.Owner,
	}
	switch b := e.Body.(type) {
	case *leadv1.LeadOffered:
		by := b.GetTakeBy().AsTime()
		d.Pool, d.Rule, d.Member, d.Offer, d.TakeBy = b.GetPool(), b.GetRule(), b.GetMember(), b.GetOffer(), &by
	case *leadv1.LeadQueued:
		d.Pool, d.Rule, d.Reason = b.GetPool(), b.GetRule(), b.GetBlockedBy()
	case *leadv1.OfferReminded:
		d.Member, d.Offer = b.GetMember(), b.GetOffer()
	case *leadv1.OfferAccepted:
		d.Member, d.Offer = b.GetMember(), b.GetOffer()
	case *leadv1.OfferRejected:
		d.Member, d.Offer, d.Reason, d.Campaign = b.GetMember(), b.GetOffer(), b.GetReason(), campaignOf(s)
	case *leadv1.FeedbackGiven:
		d.Member, d.Campaign = b.GetMember(), b.GetCampaign()
		d.Feedback = &Feedback{
			Interest: b.GetInterest(), Ease: b.GetEase(), Why: b.GetWhy(), Talk: b.GetTalk(), Missing: b.GetMissing(),
			Vertical: b.GetVertical(), Persona: b.GetPersona(), Phrases: b.GetPhrases(),
		}
	case *leadv1.OfferTimedOut:
		d.Member, d.Offer = b.GetMember(), b.GetOffer()
	case *leadv1.LeadReassigned:
		d.From, d.To, d.Reason = b.GetFrom(), b.GetTo(), b.GetReason()
	case *leadv1.LeadNurtured:
		d.Reason = b.GetReason()
	case *leadv1.LeadRefused:
		d.Reason = strings.ToLower(strings.TrimPrefix(b.GetReason().String(), "REFUSAL_REASON_"))
	case *leadv1.QualificationHeld:
		d.Reason = b.GetRule()
	case *leadv1.OutcomeRecorded:
		d.Member, d.Reason, d.Campaign = b.GetMember(), b.GetReason(), campaignOf(s)
		d.Channel, d.Direction, d.Disposition, d.Reached = b.GetChannel(), b.GetDirection(), b.GetDisposition(), b.GetReached()
		d.DealStage, d.ValueMinor, d.Currency = b.GetDealStage(), b.GetValueMinor(), b.GetCurrency()
		d.Outcome = strings.ToLower(strings.TrimPrefix(b.GetKind().String(), "OUTCOME_KIND_"))
	case *leadv1.CallRecorded:
		d.Member = b.GetMember()
	case *leadv1.ClockReminded:
		d.Clock, d.Tell = b.GetClock().GetClock(), b.GetTell()
	case *leadv1.ClockBreached:
		d.Clock, d.Member = b.GetClock().GetClock(), b.GetMember()
	case *leadv1.ClockEscalated:
		d.Clock, d.Step, d.Tell = b.GetClock().GetClock(), b.GetStep(), b.GetTell()
	case *leadv1.ClockRestated:
		d.Clock = b.GetClock().GetClock()
	}
	return Event{Type: dotted(shortType(e.Type)), Timestamp: e.Occurred, Data: d}
}

// campaignOf is the campaign of the touch that led to the handoff; empty = none did.
func campaignOf(s *lead.State) string { return s.Handoff.Attribution.GetCampaign() }

// shortType is a type without its package.
func shortType(t string) string { return t[strings.LastIndexByte(t, '.')+1:] }

// spaced parts the words of a type: "LeadOffered" is "Lead Offered".
func spaced(t string) string {
	var b strings.Builder
	for i, r := range t {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// dotted is a type as systems are told it: "LeadOffered" is "lead.offered".
func dotted(t string) string {
	first, rest, _ := strings.Cut(strings.ToLower(spaced(t)), " ")
	return first + "." + strings.ReplaceAll(rest, " ", "_")
}

// oneLine keeps what came from outside from making lines of its own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// openSecrets opens a channel's address and secrets.
func openSecrets(ctx context.Context, k Keys, set *deliveryv1.ChannelSet) (*deliveryv1.ChannelSecrets, error) {
	out := &deliveryv1.ChannelSecrets{}
	if set.GetSecrets() == nil {
		return out, nil
	}
	plain, err := k.Open(ctx, set.GetSecrets(), []byte(SubjectChannel+set.GetChannel()))
	if err != nil {
		return nil, err
	}
	return out, proto.Unmarshal(plain, out)
}
