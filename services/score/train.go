package score

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

// Known is a lead whose outcome is known.
type Known struct {
	// Lead is its id.
	Lead string
	// At is when it was received.
	At time.Time
	// Features are those that it was received with.
	Features *leadv1.Features
	// Yes says whether it had the outcome that is foreseen.
	Yes bool
	// Late are the fields that were first filled after somebody had touched it.
	Late []string
}

// Options say how to train.
type Options struct {
	// Number of the model.
	Number int64
	// Label says what is foreseen.
	Label scorev1.Label
	// Without are fields to leave out.
	Without []string
	// Questions are the words of answers by their ids.
	Questions map[string]string
}

const (
	// The oldest learn, the next calibrate, the newest validate; in hundredths.
	learnShare, calibrateShare = 60, 15
	// fewest of either outcome in each slice.
	fewestLearn, fewestCalibrate, fewestValidate = 30, 5, 20
	// rare is the fewest leads that a word needs for a level of its own, and
	// mostWords the most of them in a field.
	rare, mostWords = 20, 20
	// many is how many in a hundred leads must have the same number for a band of
	// its own.
	many = 10
	// mostFields bounds the work of a training.
	mostFields = 60
	// tooGood is the AUC above which a model is taken for one that has seen the
	// outcome.
	tooGood = 950_000
	// late is how many in a hundred of the leads that have a field may have got it
	// after somebody had touched them. Their late values are never read; more of
	// them, and that a field is filled at all says how the lead went.
	late = 1
	// bands is how many ranges of scores are kept to see a drift.
	bands = 10
	// bins is how many lines the reliability table has.
	bins = 10
	// perLogit is how many thousandths of a point one unit of log odds is.
	perLogit = Double / math.Ln2
)

// Train learns a model from leads whose outcome is known. It depends on them and
// on the options alone; their order does not matter. It always answers a model:
// one that cannot be used says why.
//
// The oldest part of the leads learns a logistic regression over what they were
// received with, one weight for each thing that a lead can have in a field. The
// next part calibrates it as Platt does: that moves and stretches the sum of the
// weights and nothing else, so that the table stays a sum, keeps its order and
// needs few leads; an isotonic curve would do neither. The newest part says how
// good the table is, and was seen by nobody before. The table that is published
// is the one that was measured.
func Train(known []Known, o Options) *scorev1.Model {
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b Known) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Lead, b.Lead))
	})
	m := &scorev1.Model{Number: o.Number, Label: o.Label}
	n := len(known)
	first, second := n*learnShare/100, n*(learnShare+calibrateShare)/100
	t := &training{Options: o, model: m, learn: known[:first], calibrate: known[first:second], validate: known[second:]}
	for _, s := range []struct {
		name  string
		leads []Known
	}{{"learn", t.learn}, {"calibrate", t.calibrate}, {"validate", t.validate}} {
		m.Slices = append(m.Slices, slice(s.name, s.leads))
	}
	if why := tooFew(m.GetSlices()); why != "" {
		m.Verdict = scorev1.Verdict_VERDICT_TOO_FEW
		m.Summary = why
		return m
	}
	t.choose(known)
	if len(m.GetFields()) == 0 {
		m.Verdict = scorev1.Verdict_VERDICT_CHANCE
		m.Summary = "No better than chance: nothing that is known of a lead when it comes differs between leads."
		return m
	}
	slope := t.fit()
	t.measure()
	t.judge(slope)
	return m
}

// training is one training under way.
type training struct {
	Options
	model                      *scorev1.Model
	learn, calibrate, validate []Known
}

func slice(name string, leads []Known) *scorev1.Slice {
	s := &scorev1.Slice{Name: name, Leads: int64(len(leads)), Positives: positives(leads)}
	if len(leads) > 0 {
		s.From, s.Until = timestamppb.New(leads[0].At), timestamppb.New(leads[len(leads)-1].At)
	}
	return s
}

func positives(leads []Known) (n int64) {
	for _, k := range leads {
		if k.Yes {
			n++
		}
	}
	return n
}

func outcomes(leads []Known) []bool {
	out := make([]bool, len(leads))
	for i, k := range leads {
		out[i] = k.Yes
	}
	return out
}

// tooFew says which slice has too few of an outcome; empty where none has.
func tooFew(s []*scorev1.Slice) string {
	for i, need := range []int64{fewestLearn, fewestCalibrate, fewestValidate} {
		yes := s[i].GetPositives()
		no := s[i].GetLeads() - yes
		if yes < need || no < need {
			return fmt.Sprintf("Too few leads have an outcome: of those to %s with, %d had it and %d did not; %d of either are needed.", s[i].GetName(), yes, no, need)
		}
	}
	return ""
}

func (t *training) leaveOut(name, why string, asked bool) {
	t.model.LeftOut = append(t.model.LeftOut, &scorev1.LeftOut{Field: name, Text: wordsOf(name, t.Questions), Why: why, Asked: asked})
}

// choose finds the fields that the model may read, and what leads have in them.
func (t *training) choose(known []Known) {
	lateBy, had := map[string]int{}, map[string]int{}
	for _, k := range known {
		seen := map[string]bool{}
		for _, name := range filled(k.Features) {
			had[name]++
			seen[name] = true
		}
		for _, name := range k.Late {
			if !seen[name] {
				lateBy[name]++
				had[name]++
			}
		}
	}
	names := fieldNames(func(yield func(*leadv1.Features) bool) {
		for _, k := range known {
			if !yield(k.Features) {
				return
			}
		}
	})
	// A field that never came in time is named as well.
	for _, k := range known {
		for _, name := range k.Late {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names[len(plain):])
	for _, name := range names {
		switch {
		case slices.Contains(t.Without, name):
			t.leaveOut(name, "left out as asked", true)
		case lateBy[name]*100 > had[name]*late:
			t.leaveOut(name, fmt.Sprintf("first filled after somebody had touched the lead, on %d of the %d leads that have it: that it is filled may follow from how the lead went", lateBy[name], had[name]), false)
		case len(t.model.GetFields()) == mostFields:
			t.leaveOut(name, fmt.Sprintf("a model reads at most %d fields", mostFields), false)
		default:
			levels := t.levels(name)
			if len(levels) < 2 {
				t.leaveOut(name, "the same on every lead that it could be learned from", false)
				continue
			}
			t.model.Fields = append(t.model.Fields, &scorev1.Field{Name: name, Text: wordsOf(name, t.Questions), Levels: levels})
		}
	}
}

// levels are what the leads to learn from have in a field: words that are not
// rare, the greatest number of leads first; ranges of numbers; everything else;
// and nothing.
func (t *training) levels(name string) []*scorev1.Level {
	counts, numbers, unknown, total := map[string]int64{}, []int64(nil), int64(0), int64(0)
	for _, k := range t.learn {
		switch v := valueOf(k.Features, name); {
		case !v.known:
			unknown++
		case v.isNumber:
			numbers = append(numbers, v.number)
		default:
			counts[v.text]++
			total++
		}
	}
	var out []*scorev1.Level
	// any order: sorted below
	for text, n := range counts {
		if n >= rare {
			out = append(out, &scorev1.Level{Value: text, Leads: n})
		}
	}
	slices.SortFunc(out, func(a, b *scorev1.Level) int {
		return cmp.Or(cmp.Compare(b.GetLeads(), a.GetLeads()), cmp.Compare(a.GetValue(), b.GetValue()))
	})
	out = out[:min(len(out), mostWords)]
	for _, l := range out {
		total -= l.GetLeads()
	}
	out = append(out, ranges(name, numbers)...)
	if total > 0 {
		out = append(out, &scorev1.Level{Other: true, Leads: total})
	}
	if unknown > 0 {
		out = append(out, &scorev1.Level{Unknown: true, Leads: unknown})
	}
	return out
}

// ranges cuts numbers into bands: those of company sizes, else at their
// quartiles, with a band of its own for a number that many have.
func ranges(name string, numbers []int64) []*scorev1.Level {
	if len(numbers) == 0 {
		return nil
	}
	slices.Sort(numbers)
	cuts := slices.Clone(sizes)
	if name != "lead.employees" {
		cuts = nil
		for q := 1; q <= 3; q++ {
			cuts = append(cuts, numbers[len(numbers)*q/4])
		}
		for i := 0; i < len(numbers); {
			end, _ := slices.BinarySearch(numbers, numbers[i]+1)
			if (end-i)*100 >= len(numbers)*many {
				cuts = append(cuts, numbers[i], numbers[i]+1)
			}
			i = max(end, i+1)
		}
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
	}
	out := []*scorev1.Level{{}}
	for _, at := range cuts {
		out[len(out)-1].Below = proto.Int64(at)
		out = append(out, &scorev1.Level{From: proto.Int64(at)})
	}
	for _, l := range out {
		for _, n := range numbers {
			if inside(l, n) {
				l.Leads++
			}
		}
	}
	return slices.DeleteFunc(out, func(l *scorev1.Level) bool { return l.GetLeads() == 0 })
}

// fit learns the weights, calibrates them and writes them into the table as
// whole numbers. It answers the slope of the calibration.
func (t *training) fit() (slope float64) {
	start := make([]int, len(t.model.GetFields()))
	columns := 0
	for i, f := range t.model.GetFields() {
		start[i] = columns
		columns += len(f.GetLevels())
	}
	row := func(f *leadv1.Features) []int {
		var out []int
		for i, field := range t.model.GetFields() {
			if l := levelOf(field, valueOf(f, field.GetName())); l != nil {
				out = append(out, start[i]+slices.Index(field.GetLevels(), l))
			}
		}
		return out
	}
	rows := make([][]int, len(t.learn))
	for i, k := range t.learn {
		rows[i] = row(k.Features)
	}
	learned := learn(rows, outcomes(t.learn), columns)

	// Within a field the weights are told as differences from an average lead:
	// what is common to all goes into the base.
	weights, base := slices.Clone(learned.weights), learned.base
	errs := make([]float64, columns)
	for i, field := range t.model.GetFields() {
		share := make([]float64, len(field.GetLevels()))
		average := 0.0
		for j, l := range field.GetLevels() {
			share[j] = float64(l.GetLeads()) / float64(len(t.learn))
			average += share[j] * learned.weights[start[i]+j]
		}
		base += average
		for j := range field.GetLevels() {
			weights[start[i]+j] -= average
			errs[start[i]+j] = math.Sqrt(max(contrast(learned.spread, start[i]+1, share, j), 0))
		}
	}

	z := make([]float64, len(t.calibrate))
	for i, k := range t.calibrate {
		z[i] = base
		for _, c := range row(k.Features) {
			z[i] += weights[c]
		}
	}
	slope, shift := platt(z, outcomes(t.calibrate))
	stretch := slope
	if stretch <= 0 {
		// The next leads do not even follow the order that was learned. The table
		// is shown as it was learned, and judged below.
		stretch, shift = 1, 0
	}
	whole := func(logit float64) int64 { return int64(math.Round(logit * perLogit)) }
	t.model.Base = whole(stretch*base + shift)
	for i, field := range t.model.GetFields() {
		for j, l := range field.GetLevels() {
			w, e := stretch*weights[start[i]+j], stretch*errs[start[i]+j]
			l.Points, l.Low, l.High = whole(w), whole(w-z95*e), whole(w+z95*e)
		}
	}
	return slope
}

// contrast is the variance of one weight's difference from the average of its
// field, whose weights begin at first.
func contrast(spread [][]float64, first int, share []float64, j int) float64 {
	c := make([]float64, len(share))
	for k := range c {
		c[k] = -share[k]
	}
	c[j]++
	sum := 0.0
	for a := range c {
		for b := range c {
			sum += c[a] * c[b] * spread[first+a][first+b]
		}
	}
	return sum
}

// measure says how good the table is on the newest leads.
func (t *training) measure() {
	m := t.model
	learned, _ := t.scores(t.learn)
	m.Bands = bandsOf(learned)
	scores, yes := t.scores(t.validate)
	m.Auc = auc(scores, yes)
	blind := float64(positives(t.learn)+positives(t.calibrate)) / float64(len(t.learn)+len(t.calibrate))
	var off, offBlind float64
	for i, y := range yes {
		truth := 0.0
		if y {
			truth = 1
		}
		said := float64(Likelihood(scores[i])) / 1000
		off += (said - truth) * (said - truth)
		offBlind += (blind - truth) * (blind - truth)
	}
	m.Brier, m.BrierBlind = millionths(off/float64(len(yes))), millionths(offBlind/float64(len(yes)))
	m.Reliability = reliability(scores, yes)
}

// bandsOf cuts scores into ranges that hold about as many leads each.
func bandsOf(scores []int64) []*scorev1.Band {
	sorted := slices.Sorted(slices.Values(scores))
	var out []*scorev1.Band
	for b := 1; b < bands; b++ {
		at := sorted[len(sorted)*b/bands]
		if len(out) == 0 && at > sorted[0] || len(out) > 0 && at > out[len(out)-1].GetBelow() {
			out = append(out, &scorev1.Band{Below: at})
		}
	}
	out = append(out, &scorev1.Band{})
	for _, s := range scores {
		out[bandOf(out, s)].Leads++
	}
	return out
}

func bandOf(bands []*scorev1.Band, score int64) int {
	for i, b := range bands[:len(bands)-1] {
		if score < b.GetBelow() {
			return i
		}
	}
	return len(bands) - 1
}

// reliability puts leads of like scores together. Leads of one score stay in one
// line.
func reliability(scores []int64, yes []bool) []*scorev1.Bin {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var out []*scorev1.Bin
	for i := 0; i < len(order); {
		end := min(max(len(order)*(len(out)+1)/bins, i+1), len(order))
		for end < len(order) && scores[order[end]] == scores[order[end-1]] {
			end++
		}
		bin := &scorev1.Bin{From: Likelihood(scores[order[i]]), To: Likelihood(scores[order[end-1]]), Leads: int64(end - i)}
		var foreseen, observed int64
		for _, k := range order[i:end] {
			foreseen += int64(Likelihood(scores[k]))
			if yes[k] {
				observed++
			}
		}
		bin.Foreseen = int32((foreseen + bin.GetLeads()/2) / bin.GetLeads())
		bin.Observed = int32((observed*1000 + bin.GetLeads()/2) / bin.GetLeads())
		out = append(out, bin)
		i = end
	}
	return out
}

// judge says what the training came to.
func (t *training) judge(slope float64) {
	m := t.model
	figure := fmt.Sprintf("AUC %s, in 95 of 100 cases between %s and %s, on the %d newest leads", Share(m.GetAuc().GetValue()), Share(m.GetAuc().GetLow()), Share(m.GetAuc().GetHigh()), len(t.validate))
	switch {
	case m.GetAuc().GetValue() > tooGood:
		m.Verdict = scorev1.Verdict_VERDICT_LEAKAGE
		m.Suspects = t.suspects()
		var named []string
		for _, s := range m.GetSuspects() {
			named = append(named, fmt.Sprintf("%s (%s, alone %s)", s.GetField(), s.GetText(), Share(s.GetAuc())))
		}
		m.Summary = fmt.Sprintf("Refused: %s is too good to be true, so something that was only known afterwards got into the features. Without %s it is not; leave that out with --without, or find out when it is filled.", figure, strings.Join(named, " and "))
		// There is nothing to switch on and nothing to sign.
		m.Fields, m.Bands, m.Base = nil, nil, 0
	case slope <= 0:
		m.Verdict = scorev1.Verdict_VERDICT_CHANCE
		m.Summary = fmt.Sprintf("No better than chance: what the oldest leads taught does not hold for those after them (%s).", figure)
	case m.GetAuc().GetLow() <= 500_000:
		m.Verdict = scorev1.Verdict_VERDICT_CHANCE
		m.Summary = fmt.Sprintf("No better than chance: %s, and one half is what guessing gives.", figure)
	default:
		m.Verdict = scorev1.Verdict_VERDICT_USABLE
		m.Summary = fmt.Sprintf("Better than chance: %s.", figure)
	}
}

// suspects are the fields without which the model is no longer too good to be
// true: of those that are left, the one that alone is best goes first, until it
// is believable.
func (t *training) suspects() (out []*scorev1.Suspect) {
	for {
		best, at := int64(-1), 0
		for i, field := range t.model.GetFields() {
			if a := t.alone(field); a > best {
				best, at = a, i
			}
		}
		field := t.model.GetFields()[at]
		out = append(out, &scorev1.Suspect{Field: field.GetName(), Text: field.GetText(), Auc: best})
		t.model.Fields = slices.Delete(t.model.Fields, at, at+1)
		if len(t.model.GetFields()) == 0 {
			return out
		}
		t.fit()
		if scores, yes := t.scores(t.validate); auc(scores, yes).GetValue() <= tooGood {
			return out
		}
	}
}

// alone is the AUC of one field by itself.
func (t *training) alone(field *scorev1.Field) int64 {
	with, without := make([]int64, len(field.GetLevels())), make([]int64, len(field.GetLevels()))
	place := func(f *leadv1.Features) int {
		return slices.Index(field.GetLevels(), levelOf(field, valueOf(f, field.GetName())))
	}
	for _, k := range t.learn {
		if at := place(k.Features); at >= 0 && k.Yes {
			with[at]++
		} else if at >= 0 {
			without[at]++
		}
	}
	scores := make([]int64, len(t.validate))
	for i, k := range t.validate {
		if at := place(k.Features); at >= 0 {
			scores[i] = millionths(math.Log(float64(with[at]+1) / float64(without[at]+1)))
		}
	}
	return auc(scores, outcomes(t.validate)).GetValue()
}

// scores are what the table says of leads, and what became of them.
func (t *training) scores(leads []Known) ([]int64, []bool) {
	table := &Model{base: t.model.GetBase(), fields: t.model.GetFields()}
	out := make([]int64, len(leads))
	for i, k := range leads {
		out[i] = table.total(k.Features)
	}
	return out, outcomes(leads)
}

// Share writes millionths as a decimal with three places.
func Share(millionths int64) string {
	sign := ""
	if millionths < 0 {
		sign, millionths = "-", -millionths
	}
	rounded := (millionths + 500) / 1000
	return fmt.Sprintf("%s%d.%03d", sign, rounded/1000, rounded%1000)
}
