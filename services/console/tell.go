package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// tellForm is what somebody says became of a lead, with what was typed.
type tellForm struct {
	// Key makes a form that is sent twice harmless.
	Key string
	// Touch and Deal say which of its parts are for the reader.
	Touch, Deal          bool
	Dispositions, Stages []*feedbackv1.FeedbackChoice
	Typed                url.Values
	// Open names the part that was tried.
	Open string
}

// Was is what was typed into a field.
func (f *tellForm) Was(field string) string { return f.Typed.Get(field) }

// tellOn is what a reader may say became of a lead; nil where nothing. Who may in truth is
// for the service to say.
func tellOn(l *leadv1.Lead, reader access.Actor, asked *feedbackv1.FeedbackForm) *tellForm {
	f := &tellForm{Key: rand.Text(), Dispositions: asked.GetDispositions(), Stages: asked.GetDealStages()}
	switch l.GetState() {
	case leadv1.State_STATE_OFFERED:
		f.Touch = l.GetOfferedTo() == reader.Handle
	case leadv1.State_STATE_ACCEPTED, leadv1.State_STATE_WORKING:
		f.Touch = l.GetOwner() == reader.Handle
		f.Deal = f.Touch || reader.Has(access.Manager)
	}
	if !f.Touch && !f.Deal {
		return nil
	}
	return f
}

// recordOutcome records what became of a lead for whoever is signed in.
func (c *console) recordOutcome(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return status.Error(codes.InvalidArgument, "The form cannot be read; go back and send it again.")
	}
	req, err := outcomeOf(r.PostForm)
	if err == nil {
		req.LeadId = r.PathValue("id")
		_, err = v.feedback.RecordOutcome(r.Context(), req)
	}
	return c.told(w, r, v, err, "Recorded.", func(view *leadView) {
		if view.Tell != nil {
			view.Tell.Typed, view.Tell.Open = r.PostForm, "deal"
			if r.PostForm.Get("kind") == "touch" {
				view.Tell.Open = "touch"
			}
		}
	})
}

var outcomeKinds = map[string]leadv1.OutcomeKind{
	"touch": leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, "working": leadv1.OutcomeKind_OUTCOME_KIND_WORKING, "stage": leadv1.OutcomeKind_OUTCOME_KIND_STAGE,
	"won": leadv1.OutcomeKind_OUTCOME_KIND_WON, "lost": leadv1.OutcomeKind_OUTCOME_KIND_LOST,
}

// outcomeOf reads the form. What belongs to another kind than the chosen one was left
// there by mistake, and is not said.
func outcomeOf(form url.Values) (*feedbackv1.RecordOutcomeRequest, error) {
	text := func(field string) string { return strings.TrimSpace(form.Get(field)) }
	req := &feedbackv1.RecordOutcomeRequest{IdempotencyKey: form.Get("key"), Kind: outcomeKinds[form.Get("kind")], Note: text("note")}
	switch form.Get("kind") {
	case "touch":
		req.Channel, req.Direction, req.Disposition = form.Get("channel"), form.Get("direction"), form.Get("disposition")
		if typed := text("minutes"); typed != "" {
			n, err := strconv.ParseInt(typed, 10, 32)
			if err != nil || n < 0 || n > 1440 {
				return nil, status.Error(codes.InvalidArgument, "The minutes are a whole number from 0 to 1440.")
			}
			req.Minutes = int32(n)
		}
	case "stage":
		req.DealStage = form.Get("deal_stage")
	case "won":
		if typed := text("value"); typed != "" {
			req.Currency = strings.ToUpper(text("currency"))
			places, known := lead.MinorDigits(req.GetCurrency())
			if !known {
				return nil, status.Error(codes.InvalidArgument, "The value needs its currency, as three letters such as EUR.")
			}
			n, err := scaled(typed, places)
			if err != nil || n < 0 {
				return nil, status.Error(codes.InvalidArgument, "The value is a number such as 1200.50, without marks for thousands.")
			}
			req.ValueMinor = n
		}
	case "lost":
		req.Reason = strings.Join(strings.Fields(strings.ToLower(text("reason"))), "-")
	default:
		return nil, status.Error(codes.InvalidArgument, "Say how the deal stands.")
	}
	if typed := text("at"); typed != "" {
		at, err := time.ParseInLocation("2006-01-02T15:04", typed, time.UTC)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, "The time cannot be read; choose it from the field.")
		}
		req.OccurredAt = timestamppb.New(at)
	}
	return req, nil
}

// feedbackForm is what marketing asks about a lead, with what was said or typed.
type feedbackForm struct {
	*feedbackv1.FeedbackForm
	// Key makes a form that is sent twice harmless.
	Key   string
	Asked []feedbackAsked
	Note  string
	Due   time.Time
	Open  bool
}

// feedbackAsked is one question as the form shows it.
type feedbackAsked struct {
	*feedbackv1.FeedbackQuestion
	// Number says that it is answered from 1 to 5.
	Number bool
	// Chosen is what was said or typed, or is known.
	Chosen []string
	// Lines are as many fields as phrases can be typed at once.
	Lines []string
}

// Is says whether an answer is chosen.
func (q feedbackAsked) Is(answer string) bool { return slices.Contains(q.Chosen, answer) }

// phraseLines is how many phrases the form takes at once, of those that can be said.
const phraseLines = 3

// feedbackOn is what marketing asks a reader about a lead; nil where it asks others. It is
// asked of who has the lead or had it, and of managers.
func feedbackOn(l *leadv1.Lead, reader access.Actor, asked *feedbackv1.FeedbackForm, history []*leadv1.HistoryEntry) *feedbackForm {
	had := slices.ContainsFunc(history, func(e *leadv1.HistoryEntry) bool {
		return e.GetActor() == reader.Handle && (e.GetType() == "baton.lead.v1.OfferAccepted" || e.GetType() == "baton.lead.v1.OfferRejected")
	})
	handed := l.GetOffers() > 0 || l.GetOwner() != ""
	if reader.Handle == "" || !handed || standingWith(l) != reader.Handle && !had && !reader.Has(access.Manager) {
		return nil
	}
	f := &feedbackForm{FeedbackForm: asked, Key: rand.Text(), Due: instant(asked.GetDueAt())}
	said := url.Values{}
	if asked.GetGiven().GetMember() == reader.Handle {
		said = answersOf(asked.GetGiven())
	}
	for name, known := range map[string]string{"vertical": asked.GetVertical(), "persona": asked.GetPersona()} { // any order: each is set by itself
		if known != "" && said.Get(name) == "" {
			said.Set(name, known)
		}
	}
	f.keep(said)
	f.Open = false
	return f
}

// keep puts answers into the form.
func (f *feedbackForm) keep(typed url.Values) {
	f.Open, f.Note, f.Asked = true, typed.Get("note"), nil
	for _, q := range f.GetQuestions() {
		one := feedbackAsked{FeedbackQuestion: q, Number: q.GetName() == "interest" || q.GetName() == "ease", Chosen: typed[q.GetName()]}
		if q.GetName() == "phrases" {
			one.Lines = append(slices.Clone(one.Chosen), make([]string, max(0, phraseLines-len(one.Chosen)))...)
		} else if !one.Number && len(q.GetChoices()) == 0 {
			continue // nothing is agreed to choose from
		}
		f.Asked = append(f.Asked, one)
	}
}

// answersOf are answers as the form's fields hold them.
func answersOf(b *leadv1.FeedbackGiven) url.Values {
	out := url.Values{"why": b.GetWhy(), "missing": b.GetMissing(), "phrases": b.GetPhrases()}
	for name, n := range map[string]int32{"interest": b.GetInterest(), "ease": b.GetEase()} { // any order: each is set by itself
		if n > 0 {
			out.Set(name, strconv.Itoa(int(n)))
		}
	}
	for name, word := range map[string]string{"talk": b.GetTalk(), "vertical": b.GetVertical(), "persona": b.GetPersona()} { // any order: each is set by itself
		if word != "" {
			out.Set(name, word)
		}
	}
	return out
}

// learned is what was said of a lead, in the order of the questions, in words.
func learned(asked *feedbackv1.FeedbackForm) (out []fact) {
	if asked.GetGiven() == nil {
		return nil
	}
	said := answersOf(asked.GetGiven())
	for _, q := range asked.GetQuestions() {
		words := slices.Clone(said[q.GetName()])
		for i, id := range words {
			for _, choice := range q.GetChoices() {
				if choice.GetId() == id {
					words[i] = choice.GetTitle()
				}
			}
		}
		if len(words) > 0 {
			out = append(out, fact{q.GetText(), strings.Join(words, "; ")})
		}
	}
	return append(out, fact{"Said by", asked.GetGiven().GetMember()})
}

// giveFeedback says what whoever is signed in learned from a lead.
func (c *console) giveFeedback(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return status.Error(codes.InvalidArgument, "The form cannot be read; go back and send it again.")
	}
	form := r.PostForm
	number := func(field string) int32 {
		n, err := strconv.ParseInt(form.Get(field), 10, 32)
		if err != nil {
			return 0
		}
		return int32(n)
	}
	got, err := v.feedback.GiveFeedback(r.Context(), &feedbackv1.GiveFeedbackRequest{
		LeadId: r.PathValue("id"), IdempotencyKey: form.Get("key"), Note: strings.TrimSpace(form.Get("note")), Feedback: &leadv1.FeedbackGiven{
			Interest: number("interest"), Ease: number("ease"), Why: form["why"], Talk: form.Get("talk"), Missing: form["missing"],
			Vertical: form.Get("vertical"), Persona: form.Get("persona"), Phrases: slices.DeleteFunc(slices.Clone(form["phrases"]), func(p string) bool { return strings.TrimSpace(p) == "" }),
		},
	})
	done := "Thank you: marketing reads it."
	if left := got.GetMissing(); len(left) > 0 {
		done += " Still to be answered: " + strings.Join(left, ", ") + "."
	}
	return c.told(w, r, v, err, done, func(view *leadView) {
		if view.Feedback != nil {
			view.Feedback.keep(form)
		}
	})
}

// told leads back to the lead, as acted does, with what was typed put back by keep.
func (c *console) told(w http.ResponseWriter, r *http.Request, v *visit, err error, done string, keep func(*leadView)) error {
	if err == nil {
		return c.acted(w, r, v, nil, done, nil)
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderLeadWith(w, r, v, code, strings.TrimSpace(title+". "+text), keep)
}
