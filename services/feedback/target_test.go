package feedback

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

func TestOnlyOutcomesAreTargets(t *testing.T) {
	for _, word := range TargetOutcomes() {
		o, err := TargetOutcome(word)
		if err != nil || TargetOutcomeWord(o) != word {
			t.Errorf("%s: got %v, %v", word, o, err)
		}
	}
	for _, word := range []string{"calls", "mails", "press-releases", "meetings", "", "MQL", "unspecified"} {
		_, err := TargetOutcome(word)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is not an outcome") || !strings.Contains(err.Error(), "mql, sal, sql, accepted, won, won-value") {
			t.Errorf("%q: got %v; want that it is not an outcome, and what is", word, err)
		}
	}
}

func TestCheckTargets(t *testing.T) {
	rules := starterRules(t)
	versions := func(n int64) *agreement.Agreement {
		if n == 1 {
			return rules
		}
		return nil
	}
	known := func(handle string) bool { return handle == "mia" || handle == "sam" }
	target := func(change func(*feedbackv1.Target)) *feedbackv1.Target {
		out := &feedbackv1.Target{TargetId: "mql", Outcome: feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL, Count: 10, Definition: 1, Marketing: "mia", Sales: "sam"}
		if change != nil {
			change(out)
		}
		return out
	}
	named := func(id, parent string) *feedbackv1.Target {
		return target(func(t *feedbackv1.Target) { t.TargetId, t.Parent = id, parent })
	}
	value := feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE
	for name, c := range map[string]struct {
		targets []*feedbackv1.Target
		says    string // empty = all is well
	}{
		"one":                   {[]*feedbackv1.Target{target(nil)}, ""},
		"a segment":             {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Segment = `lead.country == "DE"` })}, ""},
		"a part of another":     {[]*feedbackv1.Target{named("de", "all"), named("all", "")}, ""},
		"a value":               {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Outcome, t.Currency = value, "EUR" })}, ""},
		"a value of nothing":    {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Outcome = value })}, "needs its currency"},
		"a count of money":      {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Currency = "EUR" })}, "only a value (won-value) has a currency"},
		"two of a name":         {[]*feedbackv1.Target{target(nil), target(nil)}, "two of this name"},
		"no such version":       {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Definition = 2 })}, "no version 2 of the agreement that both parties have signed"},
		"no such fact":          {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Segment = "lead.contry == 1" })}, "there is no lead.contry"},
		"nobody of marketing":   {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Marketing = "zoe" })}, "zoe, who answers for it in marketing, is nobody"},
		"nobody of sales":       {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Sales = "zoe" })}, "zoe, who answers for it in sales, is nobody"},
		"a part of nothing":     {[]*feedbackv1.Target{named("de", "all")}, "no target of this proposal"},
		"a part of itself":      {[]*feedbackv1.Target{named("de", "de")}, "part of itself"},
		"a ring":                {[]*feedbackv1.Target{named("a", "b"), named("b", "c"), named("c", "a"), named("d", "a")}, "part of itself"},
		"a part of other goods": {[]*feedbackv1.Target{named("a", "b"), target(func(t *feedbackv1.Target) { t.TargetId, t.Outcome = "b", feedbackv1.TargetOutcome_TARGET_OUTCOME_WON })}, "counts something else"},
		"two things at once":    {[]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Currency, t.Definition = "EUR", 7 })}, "currency; target mql: there is no version 7"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckTargets(c.targets, versions, known)
			if c.says == "" && err != nil || c.says != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v; want %q", err, c.says)
			}
		})
	}
	if err := CheckTargets([]*feedbackv1.Target{target(func(t *feedbackv1.Target) { t.Sales = "zoe" })}, versions, nil); err != nil {
		t.Errorf("where nobody can say who works here: %v", err)
	}
}

// Whatever is agreed is in the text that is signed: any other target, another text.
func TestTheTextHoldsAllThatIsAgreed(t *testing.T) {
	base := &feedbackv1.TargetsProposed{
		Quarter: "2026-q1", Revision: 1, From: timestamppb.New(quarterFrom), To: timestamppb.New(quarterUntil),
		Targets: []*feedbackv1.Target{{TargetId: "a", Outcome: 1, Count: 10, Definition: 1, Segment: "x", Parent: "b", Marketing: "mia", Sales: "sam"}, {TargetId: "b", Outcome: 6, Count: 100, Currency: "EUR", Definition: 1, Marketing: "mia", Sales: "sam"}},
	}
	seen := map[string]string{TargetsText(base): "the same"}
	for what, change := range map[string]func(*feedbackv1.TargetsProposed){
		"quarter":    func(p *feedbackv1.TargetsProposed) { p.Quarter = "2026-q2" },
		"revision":   func(p *feedbackv1.TargetsProposed) { p.Revision = 2 },
		"from":       func(p *feedbackv1.TargetsProposed) { p.From.Seconds++ },
		"to":         func(p *feedbackv1.TargetsProposed) { p.To.Seconds++ },
		"id":         func(p *feedbackv1.TargetsProposed) { p.Targets[0].TargetId = "c" },
		"outcome":    func(p *feedbackv1.TargetsProposed) { p.Targets[0].Outcome = 2 },
		"count":      func(p *feedbackv1.TargetsProposed) { p.Targets[0].Count = 11 },
		"currency":   func(p *feedbackv1.TargetsProposed) { p.Targets[1].Currency = "USD" },
		"definition": func(p *feedbackv1.TargetsProposed) { p.Targets[0].Definition = 2 },
		"segment":    func(p *feedbackv1.TargetsProposed) { p.Targets[0].Segment = "x\"\n  part of b" },
		"parent":     func(p *feedbackv1.TargetsProposed) { p.Targets[0].Parent = "" },
		"marketing":  func(p *feedbackv1.TargetsProposed) { p.Targets[0].Marketing = "max" },
		"sales":      func(p *feedbackv1.TargetsProposed) { p.Targets[0].Sales = "max" },
		"fewer":      func(p *feedbackv1.TargetsProposed) { p.Targets = p.Targets[:1] },
	} {
		other := proto.CloneOf(base)
		change(other)
		text := TargetsText(other)
		if as, twice := seen[text]; twice {
			t.Errorf("with another %s the text is that of %s", what, as)
		}
		seen[text] = what
	}
}

// Targets hold once both have signed; a later revision takes their place once both have
// signed it; and after the quarter was closed nothing changes any more.
func TestBothSignaturesMakeATarget(t *testing.T) {
	q := NewQuarters()
	say := func(cause string, body proto.Message) {
		q.Apply(&ledger.Event{Body: body, Cause: cause, Recorded: quarterUntil})
	}
	propose := func(n int32) { say("p", &feedbackv1.TargetsProposed{Quarter: "2026-q1", Revision: n}) }
	sign := func(n int32, party string) {
		say("s", &feedbackv1.TargetsSigned{Quarter: "2026-q1", Revision: n, Party: party})
	}
	holds := func(want int32) {
		t.Helper()
		got := int32(0)
		if r := q.Quarter("2026-q1").Holds(); r != nil {
			got = r.GetRevision()
		}
		if got != want {
			t.Errorf("revision %d holds; want %d", got, want)
		}
	}
	sign(1, agreement.Sales) // of nothing
	propose(1)
	holds(0)
	sign(1, agreement.Marketing)
	sign(1, agreement.Marketing)
	holds(0)
	sign(1, agreement.Sales)
	holds(1)
	propose(2)
	sign(2, agreement.Sales)
	holds(1)
	sign(2, agreement.Marketing)
	holds(2)
	propose(3)
	sign(3, agreement.Marketing)
	say("c", &feedbackv1.QuarterClosed{Quarter: "2026-q1", Revision: 2, Results: []*feedbackv1.TargetResult{{TargetId: "a", Missed: true}, {TargetId: "b"}}})
	sign(3, agreement.Sales)
	propose(4)
	holds(2)
	closed := q.Quarter("2026-q1").Closed
	say("c2", &feedbackv1.QuarterClosed{Quarter: "2026-q1", Revision: 2, Results: []*feedbackv1.TargetResult{{TargetId: "a"}}})
	say("r", &feedbackv1.QuarterRestated{Quarter: "2026-q1", Number: 1, Results: []*feedbackv1.TargetResult{{TargetId: "a"}, {TargetId: "b", Missed: true}}})
	one := q.Quarter("2026-q1")
	if one.Closed != closed || len(one.Restated) != 1 || strings.Join(one.Missed(), " ") != "a" {
		t.Errorf("stated is %v, missed %v", one.Closed, one.Missed())
	}
	if got := q.UnplannedBefore("2026-q1"); len(got) != 0 {
		t.Errorf("a quarter keeps itself from being signed: %v", got[0].Name)
	}
	if err := unplanned(q.UnplannedBefore("2026-q2"), "2026-q2"); !fault.Is(err, fault.State) || !strings.Contains(err.Error(), "2026-q1: a. ") {
		t.Errorf("with a miss and no plan: %v", err)
	}
	say("rec", &feedbackv1.RecoveryPlanned{Quarter: "2026-q1", TargetId: "a"})
	if err := unplanned(q.UnplannedBefore("2026-q2"), "2026-q2"); err != nil {
		t.Errorf("with a plan: %v", err)
	}
}

// A quarter that has targets and is over is closed before anybody signs for a later one;
// one that runs, or that nobody agreed on, keeps nobody from signing.
func TestAQuarterThatIsOverIsClosedFirst(t *testing.T) {
	q := NewQuarters()
	say := func(body proto.Message) { q.Apply(&ledger.Event{Body: body, Recorded: quarterFrom}) }
	for _, name := range []string{"2025-q4", "2026-q1"} {
		say(&feedbackv1.TargetsProposed{Quarter: name, Revision: 1, To: timestamppb.New(quarterUntil)})
		say(&feedbackv1.TargetsSigned{Quarter: name, Revision: 1, Party: agreement.Marketing})
	}
	over := func(next string, now time.Time, want string) {
		t.Helper()
		err := unclosed(q.UnclosedBefore(next, now), next)
		if want == "" && err != nil || want != "" && (!fault.Is(err, fault.State) || !strings.Contains(err.Error(), want)) {
			t.Errorf("signing for %s at %s: %v, want %q", next, now, err, want)
		}
	}
	over("2026-q2", quarterUntil, "") // nobody agreed on it
	say(&feedbackv1.TargetsSigned{Quarter: "2026-q1", Revision: 1, Party: agreement.Sales})
	over("2026-q2", quarterUntil.Add(-time.Nanosecond), "")
	over("2026-q2", quarterUntil, "still open is 2026-q1, which ended on "+moment(quarterUntil)+". Close it with baton quarter close 2026-q1")
	over("2026-q1", quarterUntil, "")
	say(&feedbackv1.TargetsSigned{Quarter: "2025-q4", Revision: 1, Party: agreement.Sales})
	over("2026-q2", quarterUntil, "still open is 2025-q4, which ended on "+moment(quarterUntil)+"; 2026-q1")
	for _, name := range []string{"2025-q4", "2026-q1"} {
		say(&feedbackv1.QuarterClosed{Quarter: name, Revision: 1})
	}
	over("2026-q2", quarterUntil, "")
}
