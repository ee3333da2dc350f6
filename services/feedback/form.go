package feedback

import (
	"context"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// askedAs is what each question asks.
var askedAs = map[string]string{
	"interest": "How interesting was it, from 1 (not at all) to 5 (very)?",
	"why":      "Why?",
	"talk":     "How did the talk go?",
	"missing":  "Which information was missing, for the next campaign?",
	"vertical": "Which industry are they in?",
	"persona":  "Who was it?",
	"ease":     "How easy was it to get on with them, from 1 (hard) to 5 (easy)?",
	"phrases":  "Which words did they use?",
}

// questions are those of the form, in its order, with what can be chosen. What the lead
// itself says can always be chosen.
func questions(s *lead.State, rules *agreement.Agreement) []*feedbackv1.FeedbackQuestion {
	var agreed agreement.Feedback
	var verticals, personas []agreement.Term
	if rules != nil {
		agreed, _ = rules.Feedback()
		for _, word := range rules.Verticals() {
			verticals = append(verticals, agreement.Term{Name: word, Text: word})
		}
		personas = rules.PersonaTerms()
	}
	also := func(terms []agreement.Term, word string) []agreement.Term {
		if word == "" || slices.ContainsFunc(terms, func(t agreement.Term) bool { return t.Name == word }) {
			return terms
		}
		return append(terms, agreement.Term{Name: word, Text: word})
	}
	lists := map[string][]agreement.Term{
		"why": agreed.Why, "talk": agreed.Talk, "missing": agreed.Missing,
		"vertical": also(verticals, s.Features.GetIndustry()), "persona": also(personas, s.Persona),
	}
	out := make([]*feedbackv1.FeedbackQuestion, 0, len(askedAs))
	for _, name := range agreement.FeedbackQuestions() {
		q := &feedbackv1.FeedbackQuestion{
			Name: name, Text: askedAs[name], Required: slices.Contains(agreed.Required, name),
			Several: slices.Contains([]string{"why", "missing", "phrases"}, name),
		}
		for _, t := range lists[name] {
			q.Choices = append(q.Choices, &feedbackv1.FeedbackChoice{Id: t.Name, Title: t.Text})
		}
		out = append(out, q)
	}
	return out
}

// unanswered are the questions that must be answered and are not, by their names.
func unanswered(list []*feedbackv1.FeedbackQuestion, f *leadv1.FeedbackGiven) (names []string) {
	said := map[string]bool{
		"interest": f.GetInterest() > 0, "why": len(f.GetWhy()) > 0, "talk": f.GetTalk() != "", "missing": len(f.GetMissing()) > 0,
		"vertical": f.GetVertical() != "", "persona": f.GetPersona() != "", "ease": f.GetEase() > 0, "phrases": len(f.GetPhrases()) > 0,
	}
	for _, q := range list {
		if q.GetRequired() && !said[q.GetName()] {
			names = append(names, q.GetName())
		}
	}
	return names
}

// offered is how many phrases the form offers.
const offered = 8

// GetFeedbackForm answers what marketing asks about a lead. What has been said is what the
// caller said last, or else whoever said something last.
func (o *Outcomes) GetFeedbackForm(ctx context.Context, req *feedbackv1.GetFeedbackFormRequest) (*feedbackv1.FeedbackForm, error) {
	actor, _ := access.From(ctx)
	if !lead.Safe(req.GetLeadId()) {
		return nil, fault.New(fault.NotFound, "there is no such lead: an id has lower-case letters, digits and hyphens only")
	}
	events, s, err := o.told(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	rules := o.rules(o.clock.Now()).Agreement
	out := &feedbackv1.FeedbackForm{LeadId: s.ID, Questions: questions(s, rules), Vertical: s.Features.GetIndustry(), Persona: s.Persona}
	if rules != nil {
		for _, d := range rules.Dispositions() {
			out.Dispositions = append(out.Dispositions, &feedbackv1.FeedbackChoice{Id: d.ID, Title: d.Title})
		}
		for _, stage := range rules.DealStages() {
			out.DealStages = append(out.DealStages, &feedbackv1.FeedbackChoice{Id: stage.Name, Title: stage.Text})
		}
	}
	for _, e := range events {
		if b, ok := e.Body.(*leadv1.FeedbackGiven); ok && (b.GetMember() == actor.Handle || out.GetGiven().GetMember() != actor.Handle) {
			out.Given = answersOf(b)
		}
	}
	out.Missing = unanswered(out.GetQuestions(), out.GetGiven())
	if due, ok := o.dueAt(s); ok {
		out.DueAt = due
	}
	vertical := out.GetGiven().GetVertical()
	if vertical == "" {
		vertical = out.GetVertical()
	}
	if o.Given != nil {
		out.Phrases = o.Given.phrases(vertical, offered)
	}
	return out, nil
}

// dueAt is when the questions have to be answered, by what was agreed when the lead was
// accepted; false = no time is agreed, or nobody has accepted it.
func (o *Outcomes) dueAt(s *lead.State) (*timestamppb.Timestamp, bool) {
	if s.AcceptedAt.IsZero() {
		return nil, false
	}
	rules := o.rules(s.AcceptedAt).Agreement
	if rules == nil {
		return nil, false
	}
	asked, ok := rules.Feedback()
	if !ok || asked.Within == 0 {
		return nil, false
	}
	name := asked.Calendar
	if name == "" {
		pool, _ := rules.Pool(s.Pool)
		name = pool.Calendar
	}
	calendar, ok := rules.Calendar(name)
	if !ok {
		return nil, false
	}
	due, ok := calendar.Add(s.AcceptedAt, asked.Within)
	return timestamppb.New(due), ok
}
