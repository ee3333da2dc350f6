package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// mostPoints is what the criterion that tells most gets in a proposal.
const mostPoints = 10

// Propose says which points the outcomes suggest for the criteria of an
// agreement's profile, and whether they are better than those there. The
// must-haves stay as they are. It learns on the older part of the leads and
// compares on the newest, with the interval of the difference.
func Propose(known []Known, a *agreement.Agreement, version int64) *scorev1.ProposedPoints {
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b Known) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Lead, b.Lead))
	})
	split := len(known) * (learnShare + calibrateShare) / 100
	older, newest := known[:split], known[split:]
	profile := a.Profile(agreement.Facts{Features: &leadv1.Features{}})
	out := &scorev1.ProposedPoints{
		AgreementVersion: version, Needed: profile.Needed,
		Slices: []*scorev1.Slice{slice("learn", older), slice("validate", newest)},
	}
	// Which criteria give points, and how many, is asked of the agreement itself:
	// one that is not met gives none, so its points are seen where it is.
	var at []int
	for i, c := range profile.Criteria {
		if !c.GetMust() {
			at = append(at, i)
			out.Criteria = append(out.Criteria, &scorev1.ProposedCriterion{Id: c.GetId(), Text: c.GetText()})
		}
	}
	met := func(leads []Known) (rows [][]int, points []int64) {
		for _, k := range leads {
			fit := a.Profile(agreement.Facts{Features: k.Features})
			var row []int
			for j, i := range at {
				if fit.Criteria[i].GetMet() {
					row = append(row, j)
					out.Criteria[j].Points = fit.Criteria[i].GetPoints()
				}
			}
			rows, points = append(rows, row), append(points, fit.Points)
		}
		return rows, points
	}
	rows, points := met(older)
	newRows, present := met(newest)
	for i, row := range rows {
		for _, j := range row {
			out.Criteria[j].Met++
			if older[i].Yes {
				out.Criteria[j].Positives++
			}
		}
	}
	if why := tooFew([]*scorev1.Slice{out.GetSlices()[0], out.GetSlices()[0], out.GetSlices()[1]}); why != "" || len(at) == 0 {
		out.Summary = cmp.Or(why, "The profile has no criteria with points.")
		return out
	}

	weights := learn(rows, outcomes(older), len(at)).weights
	greatest := 0.0
	for _, w := range weights {
		greatest = max(greatest, math.Abs(w))
	}
	if greatest > 0 {
		for j, w := range weights {
			out.Criteria[j].Proposed = int64(math.Round(w / greatest * mostPoints))
		}
	}
	sum := func(rows [][]int) []int64 {
		sums := make([]int64, len(rows))
		for i, row := range rows {
			for _, j := range row {
				sums[i] += out.Criteria[j].GetProposed()
			}
		}
		return sums
	}
	out.NeededProposed = needed(points, sum(rows), profile.Needed)
	proposed := sum(newRows)
	result := outcomes(newest)
	out.Present, out.Proposed = auc(present, result), auc(proposed, result)
	out.Gain = gain(proposed, present, result)
	figures := fmt.Sprintf("AUC %s (between %s and %s) where the present ones have %s (between %s and %s), on the %d newest leads",
		Share(out.GetProposed().GetValue()), Share(out.GetProposed().GetLow()), Share(out.GetProposed().GetHigh()),
		Share(out.GetPresent().GetValue()), Share(out.GetPresent().GetLow()), Share(out.GetPresent().GetHigh()), len(newest))
	switch {
	case out.GetProposed().GetValue() > tooGood:
		out.Summary = "Not proposed: " + figures + " is too good to be true, so a criterion asks for something that was only known afterwards."
	case out.GetGain().GetLow() > 0:
		out.Better = true
		out.Summary = fmt.Sprintf("Better: these points have %s; the difference lies between %s and %s.", figures, Share(out.GetGain().GetLow()), Share(out.GetGain().GetHigh()))
	default:
		out.Summary = fmt.Sprintf("Not better beyond doubt: these points have %s, and the difference lies between %s and %s. Keep what is agreed.", figures, Share(out.GetGain().GetLow()), Share(out.GetGain().GetHigh()))
	}
	out.Fragment = fragment(profile, out)
	return out
}

// needed is how many of the proposed points let as many leads pass as pass with
// the present ones; of equally good numbers the greatest.
func needed(present, proposed []int64, least int64) int64 {
	passing := 0
	for _, p := range present {
		if p >= least {
			passing++
		}
	}
	sorted := slices.Sorted(slices.Values(proposed))
	best, off := int64(0), len(sorted)+1
	for i, at := range sorted {
		if i > 0 && sorted[i-1] == at {
			continue
		}
		if d := max(len(sorted)-i-passing, passing-len(sorted)+i); d <= off && at >= 0 {
			best, off = at, d
		}
	}
	return best
}

// fragment writes the profile with the proposed points, as the document has it.
func fragment(profile agreement.Fit, p *scorev1.ProposedPoints) string {
	var b strings.Builder
	fmt.Fprintf(&b, "profile:\n  version: %s\n  points_needed: %d\n  criteria:\n", strconv.Quote(profile.Version+"-learned"), p.GetNeededProposed())
	j := 0
	for _, c := range profile.Criteria {
		var weight, mark string
		if c.GetMust() {
			weight = "must: true"
		} else {
			points := p.GetCriteria()[j]
			weight = fmt.Sprintf("points: %d # was %d", points.GetProposed(), points.GetPoints())
			if points.GetMet() == 0 {
				// Such as one that asks about later visits: nothing was learned of it.
				fmt.Fprintf(&b, "    # %s: no lead met it when it came; keep it as it stands in the document\n", points.GetId())
				j++
				continue
			}
			if points.GetProposed() == 0 {
				// A criterion without points is refused by the agreement.
				fmt.Fprintf(&b, "    # %s tells nothing about the outcome and is left out (had %d)\n", points.GetId(), points.GetPoints())
				mark = "# "
			}
			j++
		}
		for i, line := range []string{"id: " + strconv.Quote(c.GetId()), "text: " + strconv.Quote(c.GetText()), "when: " + strconv.Quote(c.GetCondition()), weight} {
			if mark != "" && i == 3 {
				continue
			}
			lead := "      "
			if i == 0 {
				lead = "    - "
			}
			if mark != "" {
				lead = "    # " + lead[4:]
			}
			b.WriteString(lead + line + "\n")
		}
	}
	return b.String()
}
