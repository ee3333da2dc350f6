package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/feedback"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
)

const targetsYAML = `
why: as in the budget
targets:
  - id: mql
    outcome: mql
    count: 3
    definition: 1
    segment: lead.country == "DE"
    marketing: mia
    sales: ana
  - id: mql-large
    outcome: mql
    count: 1
    definition: 2
    marketing: mia
    sales: ana
  - id: revenue
    outcome: won-value
    value: 2000
    currency: EUR
    definition: 1
    marketing: mia
    sales: ana
`

// quarter is one as everybody sees it.
func (h *house) quarter(name string) *feedbackv1.Quarter {
	h.t.Helper()
	return must[*feedbackv1.Quarter](h.t)(feedbackv1.NewFeedbackServiceClient(h.conn).GetQuarter(h.as("mia"), &feedbackv1.GetQuarterRequest{Quarter: name}))
}

// results are what targets came to.
func results(list []*feedbackv1.TargetResult) (out []int64) {
	for _, r := range list {
		out = append(out, r.GetResult())
	}
	return out
}

// won records a deal at an instant.
func (h *house) won(id string, minor int64, at time.Time) {
	h.t.Helper()
	must[*feedbackv1.RecordOutcomeResponse](h.t)(feedbackv1.NewFeedbackServiceClient(h.conn).RecordOutcome(h.as(h.lead(id).GetOwner()), &feedbackv1.RecordOutcomeRequest{
		LeadId: id, IdempotencyKey: "won", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: minor, Currency: "EUR", OccurredAt: timestamppb.New(at),
	}))
}

func refused(t *testing.T, says string, args ...string) {
	t.Helper()
	if r := run(t, args...); r.status != statusRefused || !strings.Contains(r.err, says) {
		t.Errorf("baton %s: status %d, %s\nwant it refused with %q", strings.Join(args, " "), r.status, r.err, says)
	}
}

// A quarter from its proposal to the plan for what was missed: one side's signature makes
// no target, leads count by the version that a target names, what was stated stays when
// it is counted anew, and a miss without a plan keeps the next quarter from being signed.
func TestTargetsOfAQuarter(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	mia := must[*routingv1.AddMemberResponse](t)(routingv1.NewRoutingServiceClient(h.conn).AddMember(h.as(""), &routingv1.AddMemberRequest{Member: "mia", Roles: []string{access.Marketing}}))
	h.tokens["mia"] = mia.GetToken()
	h.typed()
	has(t, h.page("/targets"), "No quarter has targets yet", "baton target propose 2026-q1 --file targets.yaml")
	has(t, ok(t, "quarter", "list"), "No quarter has targets yet")
	file := writeFile(t, "targets.yaml", targetsYAML)
	refused(t, "no agreement is in force", "target", "propose", "2026-q1", "--file", file)
	h.agree(h.document())
	refused(t, "there is no version 2 of the agreement that both parties have signed", "target", "propose", "2026-q1", "--file", file)
	// Version 2 asks for more; version 3 is as the first one was.
	h.agree(changed(t, h.document(), "when: lead.employees >= 20\n      points: 2", "when: lead.employees >= 100\n      must: true"))
	h.agree([]byte(string(h.document()) + "\n# As before.\n"))

	refused(t, `"calls" is not an outcome; a target counts what comes of the work, not the work: mql, sal, sql, accepted, won, won-value`,
		"target", "propose", "2026-q1", "--target", "id=calls,outcome=calls,count=500,marketing=mia,sales=ana")
	refused(t, `"press-releases" is not an outcome`, "target", "propose", "2026-q1", "--file", writeFile(t, "pr.yaml", strings.Replace(targetsYAML, "outcome: mql\n", "outcome: press-releases\n", 1)))
	refused(t, "zoe, who answers for it in sales, is nobody who works here", "target", "propose", "2026-q1", "--target", "id=all,outcome=won,count=5,marketing=mia,sales=zoe")
	refused(t, "there is no lead.contry", "target", "propose", "2026-q1", "--target", `id=all,outcome=won,count=5,segment=lead.contry in ["DE","AT"],marketing=mia,sales=ana`)
	has(t, ok(t, "target", "propose", "2026-q1", "--file", file), "mql-large: 1 of mql", "as version 2 of the agreement defines it", "revenue: 2000.00 EUR of won-value", "They are no targets before both parties have signed")

	// One side alone.
	refused(t, "not the key", "target", "sign", "2026-q1", "--as", "sales", "--key", h.key("marketing"))
	has(t, ok(t, "target", "sign", "2026-q1", "--as", "marketing", "--key", h.key("marketing")), "It has no targets yet: what was proposed waits for the signature of sales.")
	one := h.quarter("2026-q1")
	same(t, "one-sided targets", []any{one.GetAgreed(), len(one.GetNow())}, []any{false, 0})
	refused(t, "waits for the signature of sales, and what only one side has signed is no target", "quarter", "close", "2026-q1")
	refused(t, "waits for the signature of sales", "target", "ledger", "2026-q1")
	has(t, ok(t, "target", "show", "2026-q1"), "It has no targets yet", "Waits for the signature of sales")
	has(t, h.page("/targets"), "It has no targets yet", "The signature of sales is missing.", "baton target sign 2026-q1 --as sales --key sales.key")
	has(t, ok(t, "target", "sign", "2026-q1", "--as", "sales", "--key", h.key("sales")), "Both have signed revision 1.")

	// Two middling leads and a large one; version 2 takes the large one alone.
	form := filled(3)
	form.Set("employees", "200")
	a, b, c := h.submit("a", filled(1)), h.submit("b", filled(2)), h.submit("c", form)
	h.settle()
	for _, id := range []string{a, b, c} {
		h.accept(id)
	}
	h.won(c, 150_000, monday)
	h.settle()
	q := h.quarter("2026-q1")
	same(t, "results now", results(q.GetNow()), []int64{3, 1, 150_000})
	large := q.GetNow()[1]
	same(t, "delivered for large ones", []int64{large.GetDelivered(), large.GetMetDefinition(), large.GetAcceptedInTime()}, []int64{3, 1, 3})
	has(t, ok(t, "target", "show"), "Both have signed revision 1.")
	has(t, ok(t, "target", "show", "2026-q1"), "STILL MISSING", "500.00 EUR", "Both have signed revision 1.")
	has(t, ok(t, "target", "ledger", "2026-q1", "--by", "person", "--target", "mql"), "PERSON", "REACHED THE PERSON", "ana", "all")
	byWeek := must[*feedbackv1.TargetLedger](t)(feedbackv1.NewFeedbackServiceClient(h.conn).GetTargetLedger(h.as("ana"), &feedbackv1.GetTargetLedgerRequest{Quarter: "2026-q1", By: "week", TargetId: "revenue"}))
	weeks := map[string][]int64{}
	for _, row := range byWeek.GetTargets()[0].GetRows() {
		weeks[row.GetKey()] = []int64{row.GetOffers(), row.GetResult().GetDelivered(), row.GetResult().GetResult()}
	}
	same(t, "weeks", []any{len(weeks), weeks["2026-01-01"], weeks["2026-03-02"]}, []any{14, []int64{0, 0, 0}, []int64{3, 3, 150_000}})
	if !proto.Equal(byWeek.GetTargets()[0].GetTotal().GetResult(), q.GetNow()[2]) {
		t.Errorf("the ledger's total is %v, the result %v", byWeek.GetTargets()[0].GetTotal(), q.GetNow()[2])
	}

	refused(t, "is not over: it ends on 2026-03-31 22:00 UTC", "quarter", "close", "2026-q1")
	h.time.Set(time.Date(2026, 4, 2, 8, 0, 0, 0, time.UTC))
	h.settle()
	refused(t, "2026-q1 is open", "quarter", "restate", "2026-q1", "--why", "early")
	// It is over: nobody signs for the next one before it is known what was missed.
	has(t, ok(t, "target", "propose", "2026-q2", "--file", file), "Targets of 2026-q2, revision 1")
	refused(t, "nobody signs for 2026-q2 before it is stated what came of each quarter that is over; still open is 2026-q1, which ended on 2026-03-31 22:00 UTC. Close it with baton quarter close 2026-q1", "target", "sign", "2026-q2", "--as", "sales", "--key", h.key("sales"))
	has(t, ok(t, "quarter", "close", "2026-q1", "--idempotency-key", "k"), "Missed and without a plan: revenue")
	has(t, ok(t, "quarter", "close", "2026-q1", "--idempotency-key", "k"), "It was closed on 2026-04-02")
	refused(t, "what was stated then stays", "quarter", "close", "2026-q1")
	stated := h.quarter("2026-q1").GetClosed()
	same(t, "stated", results(stated.GetResults()), []int64{3, 1, 150_000})

	// A deal of March that becomes known in April, and one of April.
	h.won(a, 60_000, monday.Add(time.Hour))
	h.won(b, 90_000, h.time.Now())
	h.settle()
	has(t, ok(t, "quarter", "restate", "2026-q1", "--why", "entered late"), "Counted anew.")
	q = h.quarter("2026-q1")
	if !proto.Equal(q.GetClosed(), stated) {
		t.Errorf("what was stated is %v after it was counted anew; it was %v", q.GetClosed(), stated)
	}
	same(t, "restated", results(q.GetRestated()[0].GetResults()), []int64{3, 1, 210_000})
	has(t, ok(t, "target", "show", "2026-q1"), "STATED", "MISSED BY", "RESTATED 1", "1500.00 EUR", "2100.00 EUR")
	has(t, h.page("/targets?quarter=2026-q1"), "Stated", "Restated 1", "1,500.00 EUR", "2,100.00 EUR", "Target revenue was missed and has no owner and no plan")
	refused(t, "its targets stay as they were", "target", "propose", "2026-q1", "--file", file)

	// The next quarter waits for a plan, whatever was counted anew.
	refused(t, "still without are 2026-q1: revenue", "target", "sign", "2026-q2", "--as", "sales", "--key", h.key("sales"))
	refused(t, "target mql of 2026-q1 was reached", "quarter", "recover", "2026-q1", "mql", "--owner", "mia", "--by", "2026-05-01", "--plan", "more")
	refused(t, "is past", "quarter", "recover", "2026-q1", "revenue", "--owner", "mia", "--by", "2026-03-01", "--plan", "more")
	refused(t, "zoe is nobody who works here", "quarter", "recover", "2026-q1", "revenue", "--owner", "zoe", "--by", "2026-05-01", "--plan", "more")
	ok(t, "quarter", "recover", "2026-q1", "revenue", "--owner", "mia", "--by", "2026-05-01", "--plan", "two-webinars-more")
	has(t, ok(t, "target", "show", "2026-q1"), "RECOVERY OF", "two-webinars-more")
	has(t, ok(t, "target", "sign", "2026-q2", "--as", "sales", "--key", h.key("sales")), "waits for the signature of marketing")
	for _, e := range h.events() {
		if raw := must[[]byte](t)(proto.Marshal(e.Body)); bytes.Contains(raw, []byte("two-webinars-more")) {
			t.Errorf("the plan can be read in event %d", e.Seq)
		}
	}
	same(t, "events of the quarter", h.types("org.target.2026-q1"), []string{"TargetsProposed", "TargetsSigned", "TargetsSigned", "QuarterClosed", "QuarterRestated", "RecoveryPlanned"})
	has(t, ok(t, "quarter", "list"), "2026-q2", "2026-q1", "It was closed on")

	var shown struct {
		Closed struct{ Results []struct{ Result string } }
	}
	if err := json.Unmarshal([]byte(ok(t, "target", "show", "2026-q1", "--format", "json")), &shown); err != nil || len(shown.Closed.Results) != 3 {
		t.Errorf("target show --format json: %v, %+v", err, shown)
	}
	facts := whole(t, h).Facts
	// Whoever verifies the log counts again what was stated, up to the entry that it names.
	for name, c := range map[string]struct {
		typ  string
		by   func(proto.Message)
		want string
		less int64
	}{
		"as it stands":         {"QuarterClosed", func(proto.Message) {}, "", 0},
		"a result":             {"QuarterClosed", func(m proto.Message) { m.(*feedbackv1.QuarterClosed).Results[2].Result++ }, "what is stated of target revenue of 2026-q1 is not what the log gives: 150001 of 200000 (", 0},
		"a miss":               {"QuarterClosed", func(m proto.Message) { m.(*feedbackv1.QuarterClosed).Results[2].Missed = false }, "what is stated of target revenue of 2026-q1 is not", 0},
		"a result left out":    {"QuarterClosed", func(m proto.Message) { c := m.(*feedbackv1.QuarterClosed); c.Results = c.Results[:2] }, "it states 2 results of 2026-q1, which has 3 targets", 0},
		"by another entry":     {"QuarterRestated", func(m proto.Message) { m.(*feedbackv1.QuarterRestated).Sequence = stated.GetSequence() }, "counted again 150000 of 200000", 0},
		"by a later entry":     {"QuarterRestated", func(m proto.Message) { m.(*feedbackv1.QuarterRestated).Sequence = 1 << 40 }, "does not lie before it", 1},
		"of another revision":  {"QuarterClosed", func(m proto.Message) { m.(*feedbackv1.QuarterClosed).Revision = 2 }, "by revision 2 of its targets, and revision 1 held", 1},
		"counted anew":         {"QuarterRestated", func(m proto.Message) { m.(*feedbackv1.QuarterRestated).Results[2].Result = 200_000 }, "and counted again 210000 of 200000", 0},
		"what was signed":      {"TargetsProposed", func(m proto.Message) { m.(*feedbackv1.TargetsProposed).Targets[0].Count++ }, "the digest of the targets of 2026-q1 does not fit them", 0},
		"who signed":           {"TargetsSigned", func(m proto.Message) { m.(*feedbackv1.TargetsSigned).Signature[0] ^= 1 }, "under the targets of 2026-q1 does not fit", 0},
		"what somebody signed": {"TargetsSigned", func(m proto.Message) { m.(*feedbackv1.TargetsSigned).Digest[0] ^= 1 }, "signed is not revision 1 of the targets of 2026-q1", 0},
	} {
		got := must[*audit.Result](t)(audit.Verify(t.Context(), altered{audit.Direct{Log: h.App.log}, func(r *ledger.Record) {
			if r.Subject != "org.target.2026-q1" || !strings.HasSuffix(r.Type(), "."+c.typ) {
				return
			}
			body := must[*ledger.Event](t)(r.Decode()).Body
			c.by(body)
			r.Body = must[[]byte](t)(proto.Marshal(body))
		}}, audit.Options{}))
		found := c.want == "" && got.Whole()
		for _, f := range got.Findings {
			found = found || c.want != "" && strings.Contains(f.What, c.want)
		}
		if !found || got.Facts != facts-c.less {
			t.Errorf("%s: %d facts of %d, found %v", name, got.Facts, facts, got.Findings)
		}
	}

	// Whoever starts anew finds it as it was, and counts from the beginning what was
	// counted on and on before.
	counted := h.quarter("2026-q1").GetNow()
	h.stop()
	again := start(t, Config{Data: h.cfg.Data, clock: h.time})
	again.tokens, again.signs = h.tokens, h.signs
	if got := again.quarter("2026-q1"); !proto.Equal(got.GetClosed(), stated) || len(got.GetRestated()) != 1 || len(got.GetUnplanned()) != 0 {
		t.Errorf("after a new start: %v", got)
	}
	same(t, "counted from the beginning", again.quarter("2026-q1").GetNow(), counted, protocmp.Transform())
	if got := again.quarter("2026-q1"); !bytes.Equal(feedback.TargetsDigest(got.GetProposed()), got.GetProposed().GetDigest()) {
		t.Error("the digest is not that of the targets")
	}
}

// altered is a log of which somebody changed records.
type altered struct {
	audit.Source
	by func(*ledger.Record)
}

func (a altered) Read(ctx context.Context, stream string, fn func(*ledger.Record) error, missing func(uint64, string) error) error {
	return a.Source.Read(ctx, stream, func(r *ledger.Record) error {
		a.by(r)
		return fn(r)
	}, missing)
}
