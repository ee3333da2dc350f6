package main

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// touch records a touch and answers its id.
func (h *house) touch(touch *intakev1.Touch) string {
	h.t.Helper()
	return must[*intakev1.RecordTouchResponse](h.t)(intakev1.NewIntakeServiceClient(h.conn).RecordTouch(h.as(""), &intakev1.RecordTouchRequest{Source: "web", Touch: touch})).GetSubmissionId()
}

// touches are the touches on a lead, in order.
func (h *house) touches(leadID string) (found []*ledger.Event) {
	h.t.Helper()
	for _, e := range must[[]*ledger.Event](h.t)(h.log.History(h.t.Context(), "lead."+leadID)) {
		if _, ok := e.Body.(*leadv1.TouchAdded); ok {
			found = append(found, e)
		}
	}
	return found
}

func TestTouchJoinsItsLead(t *testing.T) {
	h := start(t, Config{})
	first := h.submit("first", filled(1))
	h.settle()
	h.time.Set(monday.Add(time.Hour))
	when := monday.Add(-48 * time.Hour)

	byLead := h.touch(&intakev1.Touch{ExternalId: "t1", Kind: "webinar", LeadId: first, OccurredAt: timestamppb.New(when), Attribution: &leadv1.Attribution{Source: "mail", Campaign: "spring", Term: "ada@maschinen.example"}})
	byMail := h.touch(&intakev1.Touch{ExternalId: "t2", Kind: "pricing-page", Email: " Ada.1@Maschinen.example "})
	h.settle()
	found := h.touches(first)
	if len(found) != 2 {
		t.Fatalf("%d touches on the lead", len(found))
	}
	one, two := found[0].Body.(*leadv1.TouchAdded), found[1].Body.(*leadv1.TouchAdded)
	same(t, "the touches", []any{one.GetKind(), one.GetSubmissionId(), found[0].Occurred, two.GetKind(), two.GetSubmissionId(), found[1].Occurred},
		[]any{"webinar", byLead, when, "pricing-page", byMail, monday.Add(time.Hour)})
	same(t, "where it came from", one.GetAttribution(), &leadv1.Attribution{Source: "mail", Campaign: "spring"}, protocmp.Transform())
	if said := h.sentences(first); !strings.Contains(said, "A touch was recorded: webinar, from mail, campaign spring.") {
		t.Errorf("the history says\n%s", said)
	}

	// Its number is read as one of the source's region, as a submission's is.
	h.change("web", &intakev1.SourceDeclared{Region: "DE"}, "region")
	h.touch(&intakev1.Touch{ExternalId: "t0", Kind: "webinar", Phone: "030 555 0199"})
	regional := h.submit("regional", url.Values{"phone": {"030 555 0199"}})
	h.settle()
	same(t, "touches that came before the number", len(h.touches(regional)), 1)
	h.touch(&intakev1.Touch{ExternalId: "t00", Kind: "webinar", Phone: "+49 30 5550199"})
	h.settle()
	same(t, "touches of the number", len(h.touches(regional)), 2)

	// The same id is the same touch, whatever else it says.
	again := h.touch(&intakev1.Touch{ExternalId: "t1", Kind: "webinar", LeadId: first, OccurredAt: timestamppb.New(when)})
	same(t, "the id of a repeat", again, byLead)
	second := h.submit("second", filled(1))
	h.settle()
	h.touch(&intakev1.Touch{ExternalId: "t2", Kind: "pricing-page", Email: "ada.1@maschinen.example"})
	h.settle()
	same(t, "touches after repeats", []int{len(h.touches(first)), len(h.touches(second))}, []int{2, 0})

	// A person's touch joins their latest lead that is open.
	h.touch(&intakev1.Touch{ExternalId: "t3", Kind: "download", Email: "ada.1@maschinen.example"})
	h.settle()
	same(t, "touches of the later lead", len(h.touches(second)), 1)
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	h.settle()
	seller := h.lead(second).GetOfferedTo()
	must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(seller), &routingv1.AcceptRequest{LeadId: second}))
	must[*feedbackv1.RecordOutcomeResponse](t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(seller), &feedbackv1.RecordOutcomeRequest{LeadId: second, IdempotencyKey: "w", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON}))
	h.settle()
	h.touch(&intakev1.Touch{ExternalId: "t4", Kind: "reply", Email: "ada.1@maschinen.example"})
	h.settle()
	same(t, "touches after the later lead closed", []int{len(h.touches(first)), len(h.touches(second))}, []int{3, 1})
	// Touches that somebody recorded are no duplicates.
	same(t, "duplicates", h.figures("funnel")["duplicates"], 0.0)
	whole(t, h)
}

func TestTouchWaitsForItsPerson(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	h := start(t, Config{Data: data})
	when := monday.Add(-time.Hour)
	early := h.touch(&intakev1.Touch{ExternalId: "e", Kind: "pricing-page", Email: "ada.7@maschinen.example", OccurredAt: timestamppb.New(when)})
	byPhone := h.touch(&intakev1.Touch{ExternalId: "p", Kind: "call-back", Phone: "+49 30 901820"})
	other := h.touch(&intakev1.Touch{ExternalId: "o", Kind: "download", Email: "somebody.else@maschinen.example"})
	h.settle()
	h.touch(&intakev1.Touch{ExternalId: "e", Kind: "pricing-page", Email: "ada.7@maschinen.example"})
	h.settle()
	same(t, "a touch of nobody known", h.types("org.touch."+early), []string{"TouchWaiting"})
	same(t, "leads", h.count(), 0)

	// It waits over a restart.
	h.stop()
	h = start(t, Config{Data: data})
	form := filled(7)
	form.Set("phone", "030 901820")
	id := h.submit("seven", form)
	h.settle()
	found := h.touches(id)
	if len(found) != 2 {
		t.Fatalf("%d touches on the lead, want 2", len(found))
	}
	ids := map[string]time.Time{}
	for _, e := range found {
		ids[e.Body.(*leadv1.TouchAdded).GetSubmissionId()] = e.Occurred
	}
	same(t, "the touches", ids, map[string]time.Time{early: when, byPhone: monday})
	same(t, "a touch that joined", h.types("org.touch."+early), []string{"TouchWaiting", "TouchJoined"})
	same(t, "a touch of somebody else", h.types("org.touch."+other), []string{"TouchWaiting"})

	// One that names a lead waits for that lead, whoever's it is.
	names := intake.Ids{Keys: h.keys}
	src, _ := h.sources.ByName("web")
	coming := names.Lead(names.Submission(src.GetSourceId(), "n-8", ""))
	h.touch(&intakev1.Touch{ExternalId: "l", Kind: "visit", LeadId: coming})
	h.settle()
	must[*intakev1.SubmitResponse](t)(intakev1.NewIntakeServiceClient(h.conn).Submit(h.as(""), numbered(8)))
	h.settle()
	same(t, "touches of a lead that was named before it came", len(h.touches(coming)), 1)
	whole(t, h)
}

// A touch and the submission that makes its person known may share a record.
func TestTouchAndLeadAtOnce(t *testing.T) {
	h := start(t, Config{})
	client := intakev1.NewIntakeServiceClient(h.conn)
	done := make(chan error, 40)
	for n := range 20 {
		go func() {
			_, err := client.Submit(h.as(""), numbered(n))
			done <- err
		}()
		go func() {
			_, err := client.RecordTouch(h.as(""), &intakev1.RecordTouchRequest{Source: "web", Touch: &intakev1.Touch{ExternalId: numbered(n).GetIdempotencyKey(), Kind: "visit", Email: numbered(n).GetSubmission().GetPersonal().GetEmail()}})
			done <- err
		}()
	}
	for range 40 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	h.settle()
	for n := range 20 {
		id := must[*intakev1.SubmitResponse](t)(client.Submit(h.as(""), numbered(n))).GetLeadId()
		same(t, "touches of a lead", len(h.touches(id)), 1)
	}
	h.settle()
	whole(t, h)
}

func TestTouchOfNobodyIsRefused(t *testing.T) {
	h := start(t, Config{})
	for name, touch := range map[string]*intakev1.Touch{
		"nobody":      {ExternalId: "x", Kind: "visit"},
		"no address":  {ExternalId: "x", Kind: "visit", Email: "not an address"},
		"the future":  {ExternalId: "x", Kind: "visit", Email: "a@b.example", OccurredAt: timestamppb.New(monday.Add(time.Hour))},
		"no id":       {Kind: "visit", Email: "a@b.example"},
		"a free kind": {ExternalId: "x", Kind: "Visited our page", Email: "a@b.example"},
	} {
		_, err := intakev1.NewIntakeServiceClient(h.conn).RecordTouch(h.as(""), &intakev1.RecordTouchRequest{Source: "web", Touch: touch})
		if status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
}
