package console

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
)

// callForm is the questionnaire of a call, with what was typed.
type callForm struct {
	*qualificationv1.Questionnaire
	// Key makes a form that is sent twice harmless.
	Key string
	// AsksFit and AsksHorizon say whether a question of the questionnaire decides
	// that; the form asks for it by itself otherwise.
	AsksFit, AsksHorizon bool
	// Reached is "yes", "no" or nothing yet.
	Reached, Fit, Horizon, Note string
	Asked                       []asked
	Open                        bool
}

// asked is one question as the form shows it.
type asked struct {
	*qualificationv1.Question
	// Field is the name of the form's field, and Typed what was typed.
	Field, Typed string
}

// callOn is the form for a call about a lead; nil where a call changes nothing
// any more.
func callOn(l *leadv1.Lead, sheet *qualificationv1.Questionnaire) *callForm {
	switch l.GetState() {
	case leadv1.State_STATE_WON, leadv1.State_STATE_LOST, leadv1.State_STATE_REFUSED, leadv1.State_STATE_UNSPECIFIED:
		return nil
	}
	f := &callForm{Questionnaire: sheet, Key: rand.Text()}
	for _, q := range sheet.GetQuestions() {
		f.Asked = append(f.Asked, asked{Question: q, Field: answerField + q.GetId()})
		f.AsksFit = f.AsksFit || q.GetDecides() == "fit"
		f.AsksHorizon = f.AsksHorizon || q.GetDecides() == "horizon"
	}
	return f
}

const answerField = "answer."

// keep puts what was typed back into the form.
func (f *callForm) keep(typed url.Values) {
	f.Open = true
	f.Reached, f.Fit, f.Horizon, f.Note = typed.Get("reached"), typed.Get("fit"), typed.Get("horizon"), typed.Get("note")
	for i := range f.Asked {
		f.Asked[i].Typed = typed.Get(f.Asked[i].Field)
	}
}

// recordCall records the call of whoever is signed in.
func (c *console) recordCall(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return status.Error(codes.InvalidArgument, "The form cannot be read; go back and send it again.")
	}
	sheet, err := v.qualification.GetQuestionnaire(r.Context(), &qualificationv1.GetQuestionnaireRequest{LeadId: r.PathValue("id")})
	if err != nil {
		return c.called(w, r, v, err)
	}
	req, err := callOf(r.PostForm, sheet)
	if err != nil {
		return c.called(w, r, v, err)
	}
	req.LeadId = r.PathValue("id")
	_, err = v.qualification.RecordCall(r.Context(), req)
	return c.called(w, r, v, err)
}

// callOf reads the form. What is left empty was not answered.
func callOf(form url.Values, sheet *qualificationv1.Questionnaire) (*qualificationv1.RecordCallRequest, error) {
	req := &qualificationv1.RecordCallRequest{IdempotencyKey: form.Get("key"), Note: strings.TrimSpace(form.Get("note"))}
	switch form.Get("reached") {
	case "yes":
		req.Reached = true
	case "no":
		// Nothing was heard from somebody who was not reached.
		return req, nil
	default:
		return nil, status.Error(codes.InvalidArgument, "Say whether the person was reached.")
	}
	req.FitConfirmed = form.Get("fit") == "yes"
	if typed := strings.TrimSpace(form.Get("horizon")); typed != "" {
		months, err := strconv.ParseInt(typed, 10, 64)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "The months until the person wants to buy are %q; a whole number is expected.", typed)
		}
		req.HorizonMonths = &months
	}
	for _, q := range sheet.GetQuestions() {
		typed := strings.TrimSpace(form.Get(answerField + q.GetId()))
		if typed == "" {
			continue
		}
		value, err := answered(q, typed)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "%s %s", q.GetText(), err)
		}
		if req.Answers == nil {
			req.Answers = map[string]*leadv1.Value{}
		}
		req.Answers[q.GetId()] = value
	}
	return req, nil
}

// answered types an answer.
func answered(q *qualificationv1.Question, typed string) (*leadv1.Value, error) {
	switch q.GetType() {
	case "flag":
		if typed != "yes" && typed != "no" {
			return nil, fmt.Errorf("was answered with %q; yes or no is expected", typed)
		}
		return &leadv1.Value{Kind: &leadv1.Value_Flag{Flag: typed == "yes"}}, nil
	case "number":
		n, err := scaled(typed, int(q.GetScale()))
		if err != nil {
			return nil, fmt.Errorf("was answered with %q; %w", typed, err)
		}
		return &leadv1.Value{Kind: &leadv1.Value_Number{Number: n}}, nil
	}
	if !slices.Contains(q.GetValues(), typed) {
		return nil, fmt.Errorf("was answered with %q; one of %s is expected", typed, strings.Join(q.GetValues(), ", "))
	}
	return &leadv1.Value{Kind: &leadv1.Value_Text{Text: typed}}, nil
}

// scaled reads a number with at most so many decimal places as a whole number of
// the smallest.
func scaled(typed string, places int) (int64, error) {
	whole, fraction, _ := strings.Cut(typed, ".")
	if len(fraction) > places {
		if places == 0 {
			return 0, fmt.Errorf("a whole number is expected")
		}
		return 0, fmt.Errorf("a number with at most %d decimal places is expected", places)
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("a number is expected, without blanks and marks for thousands")
	}
	return n, nil
}

// called leads back to the lead, as acted does.
func (c *console) called(w http.ResponseWriter, r *http.Request, v *visit, err error) error {
	if err == nil {
		return c.acted(w, r, v, nil, "The call is recorded; what follows from it stands below in a moment.", nil)
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderLeadWith(w, r, v, code, strings.TrimSpace(title+". "+text), func(view *leadView) {
		if view.Call != nil {
			view.Call.keep(r.PostForm)
		}
	})
}
