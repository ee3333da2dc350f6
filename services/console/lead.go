package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

type leadView struct {
	ID  string
	Now time.Time
	*leadv1.Lead
	Received, Clock, FirstTouch time.Time
	// Standing is who has it, or why nobody has, in one sentence.
	Standing string
	// StageMeans is what the agreement says about the stage.
	StageMeans string
	Facts      []fact

	Timeline        []event
	TimelineProblem string

	// Why is the explanation in force; Earlier are the decisions before it.
	Why        *leadv1.Explanation
	Plain      map[string]string
	Decision   *decision
	Earlier    []decision
	WhyProblem string

	Act *act
	// Call is what a qualifier asks; nil where the reader is none.
	Call *callForm
	// Tell is what the reader may say became of it, and Feedback what marketing asks them;
	// nil where it is not for them. Learned is what was said.
	Tell     *tellForm
	Feedback *feedbackForm
	Learned  []fact
	// Move is what a manager says to move it; nil where the reader moves none.
	Move *moveForm
	// PoolTitle is its pool as people call it.
	PoolTitle string
	// Problem is what stood against the last try to do something.
	Problem string
	Stream  string
}

type fact struct{ Name, Value string }

type decision struct {
	Type, Profile, Persona, PersonaVersion, Purpose, Logic string
	Stage                                                  leadv1.Stage
	Recorded                                               time.Time
	Version                                                int64
	Sequence                                               uint64
	Why                                                    *leadv1.Explanation
	// Accountable is who answers for the lead from then on; Otherwise what would
	// have led elsewhere; Hash the event's, by which the decision is known for ever.
	Accountable, Otherwise, Hash string
	Lead                         string
	// Plain are the conditions in plain words.
	Plain map[string]string
}

// act is what the reader may do with the lead.
type act struct {
	Accept, Reject bool
	// For is who the lead is with, where it is not known who reads.
	For string
	// Key makes a form that is sent twice harmless.
	Key          string
	Reason, Note string
	// Reasons are the agreed ones for rejecting it.
	Reasons        []*agreementv1.Reason
	ReasonsProblem string
}

func (c *console) showLead(w http.ResponseWriter, r *http.Request, v *visit) error {
	return c.renderLeadWith(w, r, v, http.StatusOK, "", func(view *leadView) { c.opened(r, v, view) })
}

// opened notes that whom the lead is offered to has opened its page. A browser that
// fetches ahead is nobody who looks; and the page stands whether it is noted or not.
func (c *console) opened(r *http.Request, v *visit, view *leadView) {
	if view.GetOfferedTo() == "" || view.GetOfferedTo() != v.reader.Handle || strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "prefetch") {
		return
	}
	_, err := v.delivery.RecordOpened(r.Context(), &deliveryv1.RecordOpenedRequest{LeadId: view.ID})
	if err != nil && status.Code(err) != codes.Unavailable && status.Code(err) != codes.Unimplemented {
		c.logger.WarnContext(r.Context(), "that a lead's page was opened could not be noted", "fault", status.Code(err).String())
	}
}

// renderLead shows a lead; problem and tried are what stood against the last try
// to do something with it, and what was typed.
func (c *console) renderLead(w http.ResponseWriter, r *http.Request, v *visit, code int, problem string, tried *act) error {
	return c.renderLeadWith(w, r, v, code, problem, func(view *leadView) {
		if view.Act != nil && tried != nil {
			view.Act.Reason, view.Act.Note = tried.Reason, tried.Note
		}
	})
}

// renderLeadWith shows a lead; keep puts what was typed back into its form.
func (c *console) renderLeadWith(w http.ResponseWriter, r *http.Request, v *visit, code int, problem string, keep func(*leadView)) error {
	view, err := c.lookAtLead(r.Context(), v, r.PathValue("id"))
	if err != nil {
		return err
	}
	view.Problem = problem
	keep(view)
	c.render(w, r, code, "lead", v.session, pageData{Title: "Lead " + shortID(view.ID), Nav: "leads", Body: view})
	return nil
}

func (c *console) lookAtLead(ctx context.Context, v *visit, id string) (*leadView, error) {
	// The place in the log comes first: what happens while the page is made is
	// then told again rather than missed.
	st, statusErr := v.reports.GetStatus(ctx, &feedbackv1.GetStatusRequest{})
	var (
		parts   sync.WaitGroup
		l       *leadv1.Lead
		history *leadv1.GetHistoryResponse
		why     *qualificationv1.ExplainResponse
		owner   *routingv1.GetOwnerResponse
		sheet   *qualificationv1.Questionnaire
		asked   *feedbackv1.FeedbackForm
		errs    [6]error
	)
	parts.Go(func() { l, errs[0] = v.leads.GetLead(ctx, &leadv1.GetLeadRequest{LeadId: id}) })
	parts.Go(func() { history, errs[1] = v.leads.GetHistory(ctx, &leadv1.GetHistoryRequest{LeadId: id}) })
	parts.Go(func() { why, errs[2] = v.qualification.Explain(ctx, &qualificationv1.ExplainRequest{LeadId: id}) })
	parts.Go(func() { owner, errs[3] = v.routing.GetOwner(ctx, &routingv1.GetOwnerRequest{LeadId: id}) })
	parts.Go(func() {
		asked, errs[5] = v.feedback.GetFeedbackForm(ctx, &feedbackv1.GetFeedbackFormRequest{LeadId: id})
	})
	if v.reader.Has(access.Qualifier) {
		parts.Go(func() {
			sheet, errs[4] = v.qualification.GetQuestionnaire(ctx, &qualificationv1.GetQuestionnaireRequest{LeadId: id})
		})
	}
	parts.Wait()
	if err := firstOf(errs[0], withdrawn(errs[1:]...), withdrawn(statusErr)); err != nil {
		return nil, err
	}

	view := &leadView{
		ID: id, Now: c.systemTime(st), Lead: l, Received: instant(l.GetReceivedAt()), Clock: instant(l.GetTakeBy()),
		FirstTouch: instant(l.GetFirstTouchAt()), Facts: factsOf(l.GetFeatures()),
		TimelineProblem: missing(errs[1]), Why: l.GetExplanation(), Act: actOn(l, v.reader.Handle),
	}
	if errs[3] == nil {
		view.Standing = owner.GetText()
	}
	if view.Standing == "" {
		view.Standing = l.GetBlockedText()
	}
	if sheet != nil {
		view.Call = callOn(l, sheet)
	}
	if errs[5] == nil {
		view.Tell, view.Feedback, view.Learned = tellOn(l, v.reader, asked), feedbackOn(l, v.reader, asked, history.GetEntries()), learned(asked)
	}
	for _, e := range history.GetEntries() {
		view.Timeline = append(view.Timeline, eventOf(e))
	}
	view.explained(why, errs[2])
	if n := l.GetAccountableVersion(); n > 0 {
		// The page stands without the help text.
		words, err := v.agreement.GetGlossary(ctx, &agreementv1.GetGlossaryRequest{Version: n})
		if err := withdrawn(err); err != nil {
			return nil, err
		}
		for _, s := range words.GetStages() {
			if s.GetStage() == lead.StageWord(l.GetStage()) {
				view.StageMeans = s.GetText()
			}
		}
	}
	if movable(l) {
		var err error
		if view.Move, err = v.moveForm(ctx, standingWith(l)); err != nil {
			return nil, err
		}
	}
	agreed, agreedErr := v.agreement.GetAgreement(ctx, &agreementv1.GetAgreementRequest{})
	if err := withdrawn(agreedErr); err != nil {
		return nil, err
	}
	view.PoolTitle = titlesOf(agreed).of(l.GetPool())
	if view.Act != nil && view.Act.Reject {
		// Who rejects is held to the version in force, whichever the lead came by.
		view.Act.Reasons, view.Act.ReasonsProblem = agreed.GetReasons(), missing(agreedErr)
	}
	view.Stream = "/live?lead=" + url.QueryEscape(id)
	if statusErr == nil {
		view.Stream += "&from=" + strconv.FormatUint(st.GetLedgerSequence()+1, 10)
	}
	return view, nil
}

// explained takes the decisions; the last one is the one that stands. The
// lead's own last explanation does where they cannot be had.
func (view *leadView) explained(why *qualificationv1.ExplainResponse, err error) {
	if view.Why == nil {
		view.WhyProblem = missing(err)
	}
	for _, d := range why.GetDecisions() {
		view.Earlier = append(view.Earlier, decision{
			Type: eventKind(d.GetType()), Profile: d.GetProfileVersion(), Persona: d.GetPersona(), PersonaVersion: d.GetPersonaVersion(), Purpose: d.GetPurpose(),
			Logic: d.GetLogicVersion(), Stage: d.GetStage(), Recorded: instant(d.GetRecordedAt()),
			Version: d.GetAgreementVersion(), Sequence: d.GetSequence(), Why: d.GetExplanation(),
			Accountable: d.GetAccountable(), Otherwise: d.GetSmallestChange().GetText(), Hash: hex.EncodeToString(d.GetHash()), Lead: view.ID, Plain: d.GetPlain(),
		})
	}
	if n := len(view.Earlier); n > 0 {
		view.Decision, view.Earlier = &view.Earlier[n-1], view.Earlier[:n-1]
		if view.Decision.Why != nil {
			view.Why, view.Plain = view.Decision.Why, view.Decision.Plain
		}
	}
}

// showDecision shows one decision under an address of its own: the same content
// for ever, by its entry in the log and its hash.
func (c *console) showDecision(w http.ResponseWriter, r *http.Request, v *visit) error {
	id := r.PathValue("id")
	why, err := v.qualification.Explain(r.Context(), &qualificationv1.ExplainRequest{LeadId: id})
	if err != nil {
		return err
	}
	view := &leadView{ID: id}
	view.explained(why, nil)
	all := view.Earlier
	if view.Decision != nil {
		all = append(all, *view.Decision)
	}
	for i := range all {
		if strconv.FormatUint(all[i].Sequence, 10) == r.PathValue("entry") {
			c.render(w, r, http.StatusOK, "decision", v.session, pageData{Title: "Decision on lead " + shortID(id), Nav: "leads", Body: &all[i]})
			return nil
		}
	}
	return status.Errorf(codes.NotFound, "There is no decision at entry %s of the log about this lead.", r.PathValue("entry"))
}

// standingWith is who has a lead now; empty = nobody.
func standingWith(l *leadv1.Lead) string {
	if l.GetOwner() != "" {
		return l.GetOwner()
	}
	return l.GetOfferedTo()
}

// actOn says what a reader may do. Who may do it in truth is for the services
// to say; this only keeps buttons away from those for whom they are not.
func actOn(l *leadv1.Lead, reader string) *act {
	a := &act{Key: rand.Text()}
	switch l.GetState() {
	case leadv1.State_STATE_OFFERED:
		a.For, a.Accept, a.Reject = l.GetOfferedTo(), true, true
	case leadv1.State_STATE_ACCEPTED, leadv1.State_STATE_WORKING:
		a.For, a.Reject = l.GetOwner(), true
	}
	switch {
	case a.For == "", reader != "" && reader != a.For:
		return nil
	case reader == a.For:
		a.For = ""
	}
	return a
}

// factsOf lists what decisions may read, as words.
func factsOf(f *leadv1.Features) []fact {
	var out []fact
	add := func(name, value string) {
		if value != "" {
			out = append(out, fact{name, value})
		}
	}
	add("Country", f.GetCountry())
	if f.GetEmployees() > 0 {
		add("Employees", grouped(strconv.FormatInt(f.GetEmployees(), 10)))
	}
	add("Industry", f.GetIndustry())
	add("Role", f.GetRole())
	add("Product", f.GetProduct())
	add("Language", f.GetLanguage())
	if f != nil {
		add("Contact wish", wishWord(f.GetContactWish()))
		given := ""
		for _, one := range []struct {
			name string
			has  bool
		}{{"e-mail", f.GetHasEmail()}, {"telephone", f.GetHasPhone()}, {"company", f.GetHasCompany()}} {
			if !one.has {
				continue
			}
			if given != "" {
				given += ", "
			}
			given += one.name
		}
		if given == "" {
			given = "nothing to reach the person by"
		}
		if f.GetFreeEmail() {
			given += " (free-mail address)"
		}
		add("Given", given)
	}
	for _, name := range slices.Sorted(maps.Keys(f.GetAnswers())) {
		add(label(name), valueWord(f.GetAnswers()[name]))
	}
	a := f.GetAttribution()
	add("Campaign", a.GetCampaign())
	add("Medium", a.GetMedium())
	add("Campaign source", a.GetSource())
	return out
}

func valueWord(v *leadv1.Value) string {
	switch k := v.GetKind().(type) {
	case *leadv1.Value_Text:
		return k.Text
	case *leadv1.Value_Number:
		return grouped(strconv.FormatInt(k.Number, 10))
	case *leadv1.Value_Flag:
		if k.Flag {
			return "yes"
		}
		return "no"
	default:
		return "unknown"
	}
}
