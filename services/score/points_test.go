package score

import (
	"bytes"
	"crypto/ed25519"
	"regexp"
	"strings"
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
)

func private(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) ed25519.PublicKey { return private(seed).Public().(ed25519.PublicKey) }

func starter() []byte {
	return agreement.Starter(agreement.StarterParams{MarketingKey: public(1), SalesKey: public(2)})
}

func agreed(t testing.TB, document []byte) *agreement.Agreement {
	t.Helper()
	a, err := agreement.Compile(document)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Where the outcomes speak against the agreed points, other points are proposed,
// which the document takes as they stand and which are then those that decide.
//
// Goes red if: the weights are taken with the wrong sign, the newest leads learn,
// or the fragment leaves a criterion without points in the document.
func TestProposesPointsThatPredictBetter(t *testing.T) {
	t.Parallel()
	// The starter gives 2 points for the region, of which nobody can tell
	// anything here, and 1 for who wants to start soon, which decides a lot.
	leads, _ := invent(6000, 41, truth{
		base: -1.2, roles: nil, phone: 0, sizes: map[int64]float64{30: 0.4, 120: 0.4, 600: 0.4}, wants: map[string]float64{"now": 2},
	})
	a := agreed(t, starter())
	p := Propose(leads, a, 3)
	t.Log(p.GetSummary())
	if !p.GetBetter() || p.GetGain().GetLow() <= 0 || !strings.HasPrefix(p.GetSummary(), "Better: ") || p.GetAgreementVersion() != 3 {
		t.Fatalf("%s (gain %v)", p.GetSummary(), p.GetGain())
	}
	if s := p.GetSlices(); s[0].GetUntil().AsTime().After(s[1].GetFrom().AsTime()) || s[0].GetLeads() != 4500 || s[1].GetLeads() != 1500 {
		t.Errorf("it learned on %v and compared on %v", s[0], s[1])
	}
	points := map[string]*scorev1.ProposedCriterion{}
	for _, c := range p.GetCriteria() {
		points[c.GetId()] = c
	}
	if len(points) != 5 || points["region"].GetPoints() != 2 || points["soon"].GetPoints() != 1 {
		t.Fatalf("the present points are %v", points)
	}
	if points["soon"].GetProposed() != mostPoints || points["region"].GetProposed() > 2 || points["size"].GetProposed() < 1 || points["size"].GetProposed() > 4 {
		t.Errorf("proposed are %v", points)
	}

	// Into the document, in place of what is there.
	document := regexp.MustCompile(`(?ms)^profile:\n.*?^# Who the person is`).ReplaceAll(starter(), []byte(strings.ReplaceAll(p.GetFragment(), "$", "$$")+"\n# Who the person is"))
	learned := agreed(t, document)
	passed, passing := 0, 0
	for _, k := range leads {
		now, then := a.Profile(agreement.Facts{Features: k.Features}), learned.Profile(agreement.Facts{Features: k.Features})
		want := int64(0)
		for _, c := range now.Criteria {
			if c.GetMet() && !c.GetMust() {
				want += points[c.GetId()].GetProposed()
			}
		}
		if then.Points != want || then.Needed != p.GetNeededProposed() {
			t.Fatalf("the document gives %d of %d points, want %d of %d", then.Points, then.Needed, want, p.GetNeededProposed())
		}
		if now.Points >= now.Needed {
			passed++
		}
		if then.Points >= then.Needed {
			passing++
		}
	}
	if passing > passed*3/2 || passed > passing*3/2 {
		t.Errorf("%d of %d leads pass with the proposed points, %d with the present ones", passing, len(leads), passed)
	}
}

func TestProposesNothingWithoutASignal(t *testing.T) {
	t.Parallel()
	a := agreed(t, starter())
	better := 0
	for seed := range uint64(20) {
		leads, _ := invent(1200, 60+seed, none)
		p := Propose(leads, a, 1)
		if p.GetBetter() {
			better++
		} else if !strings.HasPrefix(p.GetSummary(), "Not better beyond doubt") {
			t.Fatalf("it says %q", p.GetSummary())
		}
	}
	if better > 3 {
		t.Errorf("in %d of 20 worlds without a signal other points are better", better)
	}
	if p := Propose(nil, a, 1); p.GetBetter() || !strings.HasPrefix(p.GetSummary(), "Too few leads") {
		t.Errorf("of nothing: %v", p)
	}
}

// A criterion that asks for what was only known afterwards makes no proposal.
func TestProposesNothingTooGood(t *testing.T) {
	t.Parallel()
	leads, _ := invent(2000, 42, known)
	for _, k := range leads {
		text := "later"
		if k.Yes {
			text = "now"
		}
		k.Features.Answers["timeframe"] = &leadv1.Value{Kind: &leadv1.Value_Text{Text: text}}
	}
	if p := Propose(leads, agreed(t, starter()), 1); p.GetBetter() || !strings.Contains(p.GetSummary(), "too good to be true") {
		t.Errorf("%s", p.GetSummary())
	}
}
