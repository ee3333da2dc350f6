package feedback

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// rulesOf is version 1: the starter agreement, without some of its parts.
func rulesOf(t *testing.T, without ...string) *agreement.Version {
	t.Helper()
	key := func(seed byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	}
	doc := string(agreement.Starter(agreement.StarterParams{MarketingKey: key(1), SalesKey: key(2)}))
	for _, part := range without {
		// A part ends where the next line begins that belongs to none.
		_, rest, found := strings.Cut(doc, "\n"+part+":\n")
		if !found {
			t.Fatalf("the starter agreement has no %s any more", part)
		}
		lines := strings.SplitAfter(rest, "\n")
		n := 0
		for n < len(lines) && strings.HasPrefix(lines[n], " ") {
			n++
		}
		doc = strings.Replace(doc, "\n"+part+":\n"+strings.Join(lines[:n], ""), "\n", 1)
	}
	a, err := agreement.Compile([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return &agreement.Version{Number: 1, Agreement: a}
}

// Goes red if: a word that is not agreed is recorded, a disposition does not say whether
// the person was reached, or a refusal does not name what can be chosen.
func TestWordsOfOutcomesAreAgreed(t *testing.T) {
	const (
		touch = leadv1.OutcomeKind_OUTCOME_KIND_TOUCH
		stage = leadv1.OutcomeKind_OUTCOME_KIND_STAGE
	)
	all, none := rulesOf(t), rulesOf(t, "dispositions", "deal_stages")
	for name, test := range map[string]struct {
		rules   *agreement.Version
		req     *feedbackv1.RecordOutcomeRequest
		reached bool
		fault   fault.Kind
		text    string
	}{
		"spoke":                   {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, Channel: "call", Direction: "out", Disposition: "spoke", Minutes: 7}, reached: true},
		"no answer":               {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, Disposition: "no-answer"}},
		"no disposition":          {rules: none, req: &feedbackv1.RecordOutcomeRequest{Kind: touch}},
		"a stage":                 {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: stage, DealStage: "offer"}},
		"an unknown disposition":  {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, Disposition: "lunch"}, fault: fault.Invalid, text: `disposition: "lunch" is not agreed; use one of meeting-set, spoke, call-later, message-left, no-answer, wrong-number`},
		"nothing is agreed":       {rules: none, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, Disposition: "spoke"}, fault: fault.State, text: "add `dispositions` to the agreement"},
		"no agreement":            {rules: &agreement.Version{}, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, Disposition: "spoke"}, fault: fault.State, text: "add `dispositions` to the agreement"},
		"an unknown stage":        {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: stage, DealStage: "closing"}, fault: fault.Invalid, text: `deal_stage: "closing" is not agreed; use one of first-meeting, offer, negotiation`},
		"no stages are agreed":    {rules: none, req: &feedbackv1.RecordOutcomeRequest{Kind: stage, DealStage: "offer"}, fault: fault.State, text: "add `deal_stages` to the agreement"},
		"no stage is said":        {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: stage}, fault: fault.Invalid, text: "deal_stage: say which: one of first-meeting, offer, negotiation"},
		"a stage of a touch":      {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: touch, DealStage: "offer"}, fault: fault.Invalid, text: "deal_stage: it goes with the kind stage alone; record two outcomes"},
		"a disposition of a deal": {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: stage, DealStage: "offer", Disposition: "spoke"}, fault: fault.Invalid, text: "disposition: only a touch has one"},
		"a direction of a deal":   {rules: all, req: &feedbackv1.RecordOutcomeRequest{Kind: stage, DealStage: "offer", Direction: "in"}, fault: fault.Invalid, text: "direction: only a touch has one"},
	} {
		s := &lead.State{ID: "l1", State: leadv1.State_STATE_ACCEPTED, Owner: "ana"}
		got, err := DecideOutcome(s, test.req, ana, start, test.rules.Agreement, nil)
		if test.text != "" {
			if !fault.Is(err, test.fault) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s: %v; want %s: %s", name, err, test.fault, test.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body := got[0].(*leadv1.OutcomeRecorded)
		if body.GetReached() != test.reached || body.GetDisposition() != test.req.GetDisposition() || body.GetDirection() != test.req.GetDirection() || body.GetDealStage() != test.req.GetDealStage() || body.GetMinutes() != test.req.GetMinutes() {
			t.Errorf("%s: recorded %v", name, body)
		}
	}
}

// What a file states is held against the agreement too, also before its lead is here, and
// has both its times when the lead has come.
func TestImportedWordsAreAgreed(t *testing.T) {
	o := &Outcomes{waiting: NewWaiting()}
	row := func(line int64, disposition string) *feedbackv1.OutcomeRow {
		return &feedbackv1.OutcomeRow{
			Line: line, LeadId: "l-later", Key: disposition, Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: "ana", Channel: "call",
			Direction: "out", Disposition: disposition, Minutes: 3, OccurredAt: timestamppb.New(start),
		}
	}
	now := start.Add(time.Hour)
	nobody := func(string) (*lead.State, error) { return &lead.State{}, nil }
	results, drafts, err := o.taken(now, nobody, rulesOf(t).Agreement, "crm", "op", []*feedbackv1.OutcomeRow{row(1, "spoke"), row(2, "lunch")})
	if err != nil || len(drafts) != 1 || results[0].GetOutcome() != "waiting" || results[1].GetOutcome() != "refused" || !strings.Contains(results[1].GetText(), "use one of meeting-set") {
		t.Fatalf("answered %v with %d drafts, %v; want the one to wait and the other refused", results, len(drafts), err)
	}
	waits := drafts[0].Body.(*feedbackv1.OutcomeWaiting)
	if b := waits.GetOutcome(); !b.GetReached() || b.GetDirection() != "out" || b.GetMinutes() != 3 {
		t.Errorf("what waits says %v", b)
	}
	released := settle(&lead.State{ID: "l-later", State: leadv1.State_STATE_ACCEPTED, Owner: "ana", ReceivedAt: start}, &waitingOutcome{body: waits}, now)
	if b, ok := released[0].Body.(*leadv1.OutcomeRecorded); !ok || !b.GetReached() || b.GetDisposition() != "spoke" || !released[0].Occurred.Equal(start) {
		t.Errorf("recorded %v at %s", released[0].Body, released[0].Occurred)
	}
}

// The service passes the rules that are in force when the outcome is recorded.
func TestRecordOutcomeByTheRulesInForce(t *testing.T) {
	m := ownedByAna()
	o, _ := outcomes(m)
	rules := rulesOf(t)
	var asked time.Time
	o.InForce = func(at time.Time) *agreement.Version { asked = at; return rules }
	req := &feedbackv1.RecordOutcomeRequest{LeadId: "l1", IdempotencyKey: "k", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Disposition: "spoke"}
	if _, err := o.RecordOutcome(access.With(context.Background(), ana), req); err != nil {
		t.Fatal(err)
	}
	if b := m.events[3].Body.(*leadv1.OutcomeRecorded); !b.GetReached() || !asked.Equal(start.Add(3*time.Hour)) {
		t.Errorf("recorded %v by the rules of %s", b, asked)
	}
}
