package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/chance"
)

// FalseAlarms is how often, at most, a report on fairness finds anything at all where
// nobody is favoured. Half of it is for how many leads people are given and half for
// how good they are; each half is shared by all people of all pools in the report.
const FalseAlarms = 0.01

const (
	// fewest is the number of turns, or good leads, that somebody must have had to expect before a pool
	// without a finding is said to be explained.
	fewest = 5
	// leastLeads is the smallest distance that is worth a word.
	leastLeads = 3
)

// Tests and verdicts.
const (
	testShare = "share"
	testGood  = "good-leads"

	verdictExplained    = "explained"
	verdictNotExplained = "not-explained"
	verdictTooFew       = "too-few"
)

// seen is what a test has to say of one person.
type seen struct {
	pool, member   string
	got, of        int
	expected       float64
	chance         chance.Spread
	known          bool // whether anything but chance of nought could be
	p, probability float64
}

func (s *seen) leads() float64 { return float64(s.got) - s.expected }

// findings says of each pool whether what people were given is explained by who was
// there, and of nobody more than the level allows.
func findings(pools map[string]*poolBooks) []*feedbackv1.Finding {
	names := slices.Sorted(maps.Keys(pools))
	var shares, goods []*seen
	compared := map[string]int{}
	for _, pool := range names {
		books := pools[pool]
		spreads := books.spreads()
		got := map[string]int{}
		for _, g := range books.turns {
			got[g.member]++
		}
		for _, m := range books.members() {
			by, there := spreads[m]
			if !there && got[m] == 0 {
				continue
			}
			shares = append(shares, &seen{pool: pool, member: m, got: got[m], of: len(books.turns), expected: books.people[m].share, chance: by})
		}
		from, ok := books.good()
		if !ok {
			continue
		}
		var each map[string]*goodGot
		each, compared[pool] = books.goodOnes(from)
		for _, m := range slices.Sorted(maps.Keys(each)) {
			e := each[m]
			goods = append(goods, &seen{pool: pool, member: m, got: e.got, of: e.of, expected: e.expected, chance: e.chance})
		}
	}
	judge(shares)
	judge(goods)
	var out []*feedbackv1.Finding
	for _, pool := range names {
		books := pools[pool]
		if len(books.turns) == 0 {
			continue
		}
		out = append(out, verdicts(books, testShare, pool, len(books.turns), shares)...)
		out = append(out, verdicts(books, testGood, pool, compared[pool], goods)...)
	}
	return out
}

// judge makes each probability one of the whole report: Bonferroni's inequality, by
// which it holds however the numbers hang together.
func judge(all []*seen) {
	tests := 0
	for _, s := range all {
		s.p = s.chance.Extreme(s.got)
		// Who could not have had any other number is no test.
		s.known = !s.chance.Sure() || s.p < 1
		if s.known {
			tests++
		}
	}
	for _, s := range all {
		s.probability = min(1, 2*float64(tests)*s.p)
	}
}

// found says whether somebody is further away than the level allows.
func (s *seen) found() bool {
	return s.known && s.probability <= FalseAlarms && math.Abs(s.leads()) >= leastLeads
}

// verdicts are what one test finds in one pool: a finding for each person whom nothing
// explains, or one for the pool.
func verdicts(books *poolBooks, test, pool string, turns int, all []*seen) []*feedbackv1.Finding {
	var out []*feedbackv1.Finding
	var furthest *seen
	choice, enough := false, false
	for _, s := range all {
		if s.pool != pool {
			continue
		}
		if s.found() {
			out = append(out, &feedbackv1.Finding{
				Pool: pool, Test: test, Verdict: verdictNotExplained, Member: s.member, Leads: s.leads(), Probability: s.probability,
				Turns: int64(turns), Text: notExplained(books, test, s),
			})
		}
		choice = choice || s.known
		enough = enough || s.known && s.expected >= fewest
		if s.known && (furthest == nil || s.p < furthest.p) {
			furthest = s
		}
	}
	if len(out) > 0 {
		return out
	}
	f := &feedbackv1.Finding{Pool: pool, Test: test, Verdict: verdictExplained, Turns: int64(turns), Probability: 1}
	if furthest != nil {
		f.Leads, f.Probability = furthest.leads(), furthest.probability
	}
	switch {
	case !choice && test == testShare:
		f.Text = "Explained by who was there: at no turn was there more than one person to choose from."
	case !choice:
		f.Verdict, f.Text = verdictTooFew, "Nothing to compare: no two people were there at the same turns with leads that were better and worse."
	case !enough:
		f.Verdict, f.Text = verdictTooFew, fmt.Sprintf("Too few to say: nobody had %d %s to expect.", fewest, map[string]string{testShare: "turns", testGood: "of the better leads"}[test])
	case test == testShare:
		f.Text = fmt.Sprintf("Explained by who was there: over %s nobody is further from their share than chance alone takes people. Furthest is %s, %s.", turnsText(turns), furthest.member, aheadText(furthest.leads(), ""))
	default:
		f.Text = fmt.Sprintf("Explained by who was there: over %s with the same people there, the better leads went to all alike. Furthest is %s, %s.", turnsText(turns), furthest.member, aheadText(furthest.leads(), " of the better leads"))
	}
	return []*feedbackv1.Finding{f}
}

func notExplained(books *poolBooks, test string, s *seen) string {
	rare := "Where nobody is favoured, fewer than one such report in " + rarity(s.probability) + " would say this of anybody."
	if test == testGood {
		return fmt.Sprintf("Not explained by who was there: %s got %s of the better leads than those who were there at the same turns (%d of %s; %.1f were to be expected). %s",
			s.member, moreText(s.leads(), ""), s.got, leadsOf(s.of), s.expected, rare)
	}
	var kinds []string
	beyond := books.beyond(s.member)
	for _, how := range slices.Sorted(maps.Keys(beyond)) {
		if v := beyond[how]; math.Abs(v) >= 0.5 {
			kinds = append(kinds, fmt.Sprintf("by %s %+.1f", how, v))
		}
	}
	by := ""
	if len(kinds) > 0 {
		by = " Of these " + strings.Join(kinds, ", ") + "."
	}
	return fmt.Sprintf("Not explained by who was there: %s got %s than their share among those who were there (%d of %s; %.1f were to be expected).%s %s",
		s.member, moreText(s.leads(), " turns"), s.got, turnsText(s.of), s.expected, by, rare)
}

// moreText is a number of turns as "12.3 turns more" or "12.3 fewer".
func moreText(leads float64, noun string) string {
	word := " more"
	if leads < 0 {
		word, leads = " fewer", -leads
	}
	return strconv.FormatFloat(leads, 'f', 1, 64) + noun + word
}

func aheadText(leads float64, of string) string {
	word := " above"
	if leads < 0 {
		word, leads = " below", -leads
	}
	return strconv.FormatFloat(leads, 'f', 1, 64) + of + word
}

// rarity is one in how many a probability is, in round figures.
func rarity(p float64) string {
	for _, n := range []int{1_000_000, 100_000, 10_000, 1000} {
		if p*float64(n) <= 1 {
			return countText(n)
		}
	}
	return "100"
}

func turnsText(n int) string {
	if n == 1 {
		return "1 turn"
	}
	return countText(n) + " turns"
}

// countText is a whole number with a comma after each three digits.
func countText(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
