package score

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	gocmp "github.com/google/go-cmp/cmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

var january = time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)

// truth is how the invented leads decide, in log odds; what is not named here is
// without any influence.
type truth struct {
	base  float64
	roles map[string]float64
	sizes map[int64]float64
	phone float64
	wants map[string]float64
}

var known = truth{
	base:  -1,
	roles: map[string]float64{"executive": 1.2, "head": 0.6, "specialist": -0.4, "student": -1.5},
	sizes: map[int64]float64{5: -0.8, 30: 0, 120: 0.5, 600: 0.9},
	phone: 0.7,
	wants: map[string]float64{"now": 1.1, "later": -0.9, "": 0},
}

// none is a world in which nothing matters.
var none = truth{base: -0.4}

// invent makes leads that decide as the truth says. The same seed makes the same
// leads.
func invent(n int, seed uint64, is truth) (leads []Known, odds []float64) {
	r := rand.New(rand.NewPCG(seed, 1))
	one := func(words ...string) string { return words[r.IntN(len(words))] }
	for i := range n {
		f := &leadv1.Features{
			Country: one("DE", "AT", "CH", "FR", ""), Role: one("executive", "head", "specialist", "student"),
			Employees: []int64{5, 30, 120, 600}[r.IntN(4)], HasEmail: true, HasPhone: r.IntN(2) == 0, HasCompany: r.IntN(3) > 0,
			Attribution: &leadv1.Attribution{Source: one("google", "linkedin", "", "newsletter"), Medium: one("cpc", "email", "")},
			Answers:     map[string]*leadv1.Value{"budget": {Kind: &leadv1.Value_Number{Number: int64(r.IntN(50_000))}}},
		}
		if want := one("now", "later", ""); want != "" {
			f.Answers["timeframe"] = &leadv1.Value{Kind: &leadv1.Value_Text{Text: want}}
		}
		z := is.base + is.roles[f.GetRole()] + is.sizes[f.GetEmployees()] + is.wants[f.GetAnswers()["timeframe"].GetText()]
		if f.GetHasPhone() {
			z += is.phone
		}
		leads = append(leads, Known{Lead: fmt.Sprintf("l%06d", i), At: january.Add(time.Duration(i) * time.Minute), Features: f, Yes: r.Float64() < logistic(z)})
		odds = append(odds, z)
	}
	return leads, odds
}

func trained(t testing.TB, leads []Known, o Options) *scorev1.Model {
	t.Helper()
	if o.Number == 0 {
		o.Number = 1
	}
	o.Label = scorev1.Label_LABEL_WON
	return Train(leads, o)
}

func field(t testing.TB, m *scorev1.Model, name string) *scorev1.Field {
	t.Helper()
	for _, f := range m.GetFields() {
		if f.GetName() == name {
			return f
		}
	}
	t.Fatalf("the model does not read %s", name)
	return nil
}

// The AUC of who knows the truth lies in the interval of what was learned, and
// the weights that the leads were made with lie in theirs.
//
// Goes red if: the calibration is left out of the weights, a field's weights are
// not told from its average, or the interval takes one kind of lead only.
func TestFindsAKnownSignal(t *testing.T) {
	t.Parallel()
	leads, odds := invent(8000, 7, known)
	m := trained(t, leads, Options{})
	if m.GetVerdict() != scorev1.Verdict_VERDICT_USABLE {
		t.Fatalf("%s: %s", m.GetVerdict(), m.GetSummary())
	}
	from := len(leads) * (learnShare + calibrateShare) / 100
	scores := make([]int64, 0, len(leads)-from)
	for _, z := range odds[from:] {
		scores = append(scores, int64(z*1e6))
	}
	best := auc(scores, outcomes(leads[from:]))
	t.Logf("learned %s (%s-%s), who knows the truth %s; Brier %s of %s", Share(m.GetAuc().GetValue()), Share(m.GetAuc().GetLow()), Share(m.GetAuc().GetHigh()), Share(best.GetValue()), Share(m.GetBrier()), Share(m.GetBrierBlind()))
	if best.GetValue() < m.GetAuc().GetLow() || best.GetValue() > m.GetAuc().GetHigh() {
		t.Errorf("the AUC is between %s and %s; who knows the truth has %s", Share(m.GetAuc().GetLow()), Share(m.GetAuc().GetHigh()), Share(best.GetValue()))
	}
	if m.GetBrier() >= m.GetBrierBlind() {
		t.Errorf("the Brier score is %d; who says the same of every lead has %d", m.GetBrier(), m.GetBrierBlind())
	}

	inside, all := 0, 0
	check := func(name string, weight func(*scorev1.Level) float64) {
		f := field(t, m, name)
		average, total := 0.0, 0.0
		for _, l := range f.GetLevels() {
			average += float64(l.GetLeads()) * weight(l)
			total += float64(l.GetLeads())
		}
		for _, l := range f.GetLevels() {
			all++
			if is := (weight(l) - average/total) * perLogit; is >= float64(l.GetLow()) && is <= float64(l.GetHigh()) {
				inside++
			} else {
				t.Logf("%s %s: %d..%d, truly %.0f", name, words(l), l.GetLow(), l.GetHigh(), is)
			}
		}
	}
	check("lead.role", func(l *scorev1.Level) float64 { return known.roles[l.GetValue()] })
	check("lead.employees", func(l *scorev1.Level) float64 {
		return known.sizes[map[int64]int64{1: 5, 10: 30, 50: 120, 250: 600}[l.GetFrom()]]
	})
	check("lead.has_phone", func(l *scorev1.Level) float64 {
		return map[string]float64{"yes": known.phone}[l.GetValue()]
	})
	check("answers.timeframe", func(l *scorev1.Level) float64 { return known.wants[l.GetValue()] })
	check("lead.country", func(*scorev1.Level) float64 { return 0 })
	check("answers.budget", func(*scorev1.Level) float64 { return 0 })
	check("lead.source", func(*scorev1.Level) float64 { return 0 })
	if all < 24 || inside*100 < all*90 {
		t.Errorf("%d of %d true weights lie in their intervals", inside, all)
	}
	// A field adds nothing to an average lead: what is common stands in the base.
	for _, f := range m.GetFields() {
		sum, n := int64(0), int64(0)
		for _, l := range f.GetLevels() {
			sum, n = sum+l.GetPoints()*l.GetLeads(), n+l.GetLeads()
		}
		if sum/n != 0 {
			t.Errorf("%s adds %d to an average lead", f.GetName(), sum/n)
		}
	}
	for _, b := range m.GetReliability() {
		// Three deviations of a share of so many leads, and one of the rounding.
		p := float64(b.GetForeseen()) / 1000
		if off := math.Abs(float64(b.GetForeseen()-b.GetObserved())) / 1000; off > 3.5*math.Sqrt(p*(1-p)/float64(b.GetLeads()))+0.03 {
			t.Errorf("of %d leads %d per mille were foreseen, and %d observed", b.GetLeads(), b.GetForeseen(), b.GetObserved())
		}
	}
}

func words(l *scorev1.Level) string { return LevelWords(l) }

// Over many trainings the interval of the AUC holds one half where there is
// nothing to learn, about as often as it promises.
func TestRandomLabelsAreNoBetterThanChance(t *testing.T) {
	t.Parallel()
	usable := 0
	const worlds = 40
	for seed := range uint64(worlds) {
		leads, _ := invent(900, 100+seed, none)
		m := trained(t, leads, Options{})
		switch m.GetVerdict() {
		case scorev1.Verdict_VERDICT_USABLE:
			usable++
		case scorev1.Verdict_VERDICT_CHANCE:
			if !strings.HasPrefix(m.GetSummary(), "No better than chance") {
				t.Fatalf("it says %q", m.GetSummary())
			}
		default:
			t.Fatalf("%s: %s", m.GetVerdict(), m.GetSummary())
		}
	}
	// One side of the interval is passed in 2.5 of 100 worlds.
	if usable > 4 {
		t.Errorf("in %d of %d worlds without a signal a model is called better than chance", usable, worlds)
	}
	t.Logf("%d of %d", usable, worlds)
}

// A column that was filled from the outcome is named, and the model refused; a
// training without it goes well.
func TestALeakingColumnIsNamed(t *testing.T) {
	t.Parallel()
	leads, _ := invent(3000, 11, known)
	for i, k := range leads {
		won := k.Yes
		if i%100 == 0 {
			won = !won
		}
		text := "none"
		if won {
			text = "contract"
		}
		k.Features.Answers["paper"] = &leadv1.Value{Kind: &leadv1.Value_Text{Text: text}}
	}
	m := trained(t, leads, Options{Questions: map[string]string{"paper": "Which paper was sent?"}})
	if m.GetVerdict() != scorev1.Verdict_VERDICT_LEAKAGE || len(m.GetSuspects()) != 1 || m.GetSuspects()[0].GetField() != "answers.paper" {
		t.Fatalf("%s, suspects %v: %s", m.GetVerdict(), m.GetSuspects(), m.GetSummary())
	}
	if !strings.Contains(m.GetSummary(), "answers.paper (Which paper was sent?") || len(m.GetFields()) != 0 || NewModel(m) != nil {
		t.Errorf("it says %q and has %d fields", m.GetSummary(), len(m.GetFields()))
	}
	without := trained(t, leads, Options{Without: []string{"answers.paper"}})
	if without.GetVerdict() != scorev1.Verdict_VERDICT_USABLE || len(without.GetLeftOut()) == 0 || !slices.ContainsFunc(without.GetLeftOut(), func(l *scorev1.LeftOut) bool { return l.GetField() == "answers.paper" && l.GetAsked() }) {
		t.Errorf("without it: %s, left out %v", without.GetSummary(), without.GetLeftOut())
	}
}

// What was first filled after somebody had touched the lead is left out and
// named; what almost always came in time stays.
func TestWhatCameTooLateIsLeftOut(t *testing.T) {
	t.Parallel()
	leads, _ := invent(2000, 12, known)
	for i := range leads {
		if i%3 == 0 {
			leads[i].Features.Country = ""
			leads[i].Late = []string{"lead.country"}
		}
		if i%2 == 0 {
			leads[i].Late = append(leads[i].Late, "answers.closed_by")
		}
		if i%500 == 0 {
			leads[i].Features.Role = ""
			leads[i].Late = append(leads[i].Late, "lead.role")
		}
	}
	m := trained(t, leads, Options{})
	var out []string
	for _, l := range m.GetLeftOut() {
		if strings.Contains(l.GetWhy(), "after somebody had touched the lead") {
			out = append(out, l.GetField())
		}
	}
	if want := []string{"lead.country", "answers.closed_by"}; !slices.Equal(out, want) {
		t.Errorf("left out are %v, want %v", out, want)
	}
	field(t, m, "lead.role")
	for _, f := range m.GetFields() {
		if slices.Contains(out, f.GetName()) {
			t.Errorf("%s is left out and read", f.GetName())
		}
	}
}

func TestTooFewLeadsSaySo(t *testing.T) {
	t.Parallel()
	leads, _ := invent(60, 3, known)
	for _, some := range [][]Known{nil, leads[:1], leads} {
		m := trained(t, some, Options{})
		if m.GetVerdict() != scorev1.Verdict_VERDICT_TOO_FEW || !strings.HasPrefix(m.GetSummary(), "Too few leads have an outcome") || NewModel(m) != nil {
			t.Errorf("of %d leads: %s, %q", len(some), m.GetVerdict(), m.GetSummary())
		}
	}
	// All of one kind is nothing to learn from, however many there are.
	many, _ := invent(2000, 3, truth{base: 40})
	if m := trained(t, many, Options{}); m.GetVerdict() != scorev1.Verdict_VERDICT_TOO_FEW {
		t.Errorf("of leads that all won: %s", m.GetVerdict())
	}
}

// Where fewer leads are won than when it was learned, the calibration follows.
func TestCalibratesToTheLeadsThatCame(t *testing.T) {
	t.Parallel()
	leads, _ := invent(6000, 6, known)
	harder := known
	harder.base -= 1.5
	later, _ := invent(6000, 6, harder)
	from := len(leads) * learnShare / 100
	copy(leads[from:], later[from:])
	m := trained(t, leads, Options{})
	var foreseen, observed, n int64
	for _, b := range m.GetReliability() {
		foreseen, observed, n = foreseen+int64(b.GetForeseen())*b.GetLeads(), observed+int64(b.GetObserved())*b.GetLeads(), n+b.GetLeads()
	}
	if off := (foreseen - observed) / n; off < -40 || off > 40 {
		t.Errorf("of 1000 of the newest leads it foresees %d and %d came true", foreseen/n, observed/n)
	}
}

// A world that turns around is not foreseen, and that is said.
func TestAWorldThatTurnsAround(t *testing.T) {
	t.Parallel()
	leads, _ := invent(4000, 5, known)
	for i := range leads[len(leads)*learnShare/100:] {
		k := &leads[len(leads)*learnShare/100+i]
		k.Yes = !k.Yes
	}
	if m := trained(t, leads, Options{}); m.GetVerdict() != scorev1.Verdict_VERDICT_CHANCE || !strings.Contains(m.GetSummary(), "does not hold for those after them") {
		t.Errorf("%s: %s", m.GetVerdict(), m.GetSummary())
	}
}

// The order in which leads are handed over does not matter, to the bit.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	leads, _ := invent(1500, 21, known)
	want := Text(trained(t, leads, Options{}))
	s := trained(t, leads, Options{}).GetSlices()
	for i := range 2 {
		if s[i].GetUntil().AsTime().After(s[i+1].GetFrom().AsTime()) {
			t.Errorf("the leads to %s are not all older than those to %s", s[i].GetName(), s[i+1].GetName())
		}
	}
	shuffled := slices.Clone(leads)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	if got := Text(trained(t, shuffled, Options{})); !bytes.Equal(want, got) {
		t.Errorf("another order, another model:\n%s", gocmp.Diff(string(want), string(got)))
	}
	if again := trained(t, leads, Options{}); Digest(again) != [32]byte(Digest(trained(t, shuffled, Options{}))) {
		t.Error("the digests differ")
	}
}

// The parts and the base add up to the score, whatever the lead; and the table
// is read as it was while it was learned.
func TestContributionsAddUp(t *testing.T) {
	t.Parallel()
	leads, _ := invent(1500, 22, known)
	m := NewModel(trained(t, leads, Options{}))
	rapid.Check(t, func(t *rapid.T) {
		f := &leadv1.Features{
			Country: rapid.SampledFrom([]string{"", "DE", "US"}).Draw(t, "country"), Employees: rapid.Int64Range(0, 1e6).Draw(t, "employees"),
			Role: rapid.SampledFrom([]string{"", "head", "student", "pilot"}).Draw(t, "role"), HasPhone: rapid.Bool().Draw(t, "phone"),
			Answers: map[string]*leadv1.Value{
				"budget":    {Kind: &leadv1.Value_Number{Number: rapid.Int64().Draw(t, "budget")}},
				"timeframe": {Kind: &leadv1.Value_Text{Text: rapid.SampledFrom([]string{"", "now", "never"}).Draw(t, "timeframe")}},
				"unheard":   {Kind: &leadv1.Value_Flag{Flag: true}},
			},
		}
		got := m.Explain(f)
		sum := got.GetBase()
		for _, p := range got.GetParts() {
			sum += p.GetPoints()
			if p.GetText() == "" || p.GetValue() == "" || strings.HasPrefix(p.GetText(), "lead.") {
				t.Fatalf("a part has no words: %v", p)
			}
		}
		if sum != got.GetTotal() || got.GetTotal() != m.total(f) || got.GetPerMille() != Likelihood(sum) {
			t.Fatalf("the parts add up to %d, the score is %d (%d per mille)", sum, got.GetTotal(), got.GetPerMille())
		}
		if !proto.Equal(got, m.Explain(proto.Clone(f).(*leadv1.Features))) {
			t.Fatal("the same lead has two scores")
		}
	})
	if got := (*Model)(nil).Explain(&leadv1.Features{}); got != nil {
		t.Errorf("no model says %v", got)
	}
	if got := m.Explain(nil); got.GetTotal() == 0 || len(got.GetParts()) == 0 {
		t.Errorf("a lead of which nothing is known has no score: %v", got)
	}
}

// The whole-number curve is the logistic one within its rounding, and never
// falls.
func TestLikelihood(t *testing.T) {
	t.Parallel()
	for i, h := range halves {
		if want := int64(math.Round(math.Exp2(-float64(i)/64) * (1 << 30))); h != want {
			t.Errorf("entry %d of the table is %d, want %d", i, h, want)
		}
	}
	worst, last := 0.0, int32(0)
	for sum := int64(-30 * Double); sum <= 30*Double; sum += 7 {
		got := Likelihood(sum)
		worst = max(worst, math.Abs(float64(got)-1000/(1+math.Exp2(-float64(sum)/Double))))
		if got < last {
			t.Fatalf("at %d it falls from %d to %d", sum, last, got)
		}
		last = got
	}
	if worst > 0.51 {
		t.Errorf("it is off by %.3f per mille", worst)
	}
	for sum, want := range map[int64]int32{0: 500, Double: 667, -Double: 333, 4 * Double: 941, math.MaxInt64: 1000, math.MinInt64: 0, math.MinInt64 + 1: 0} {
		if got := Likelihood(sum); got != want {
			t.Errorf("%d gives %d per mille, want %d", sum, got, want)
		}
	}
}

// No step away from what was learned makes the leads more likely, in either
// direction of any weight.
func TestLearnFindsTheMaximum(t *testing.T) {
	t.Parallel()
	leads, _ := invent(300, 8, known)
	var rows [][]int
	for _, k := range leads {
		row := []int{slices.Index([]string{"executive", "head", "specialist", "student"}, k.Features.GetRole())}
		if k.Features.GetHasPhone() {
			row = append(row, 4)
		}
		rows = append(rows, row)
	}
	f := learn(rows, outcomes(leads), 5)
	at := append([]float64{f.base}, f.weights...)
	_, _, best := derive(rows, outcomes(leads), at)
	for i := range at {
		for _, step := range []float64{-1e-3, 1e-3} {
			there := slices.Clone(at)
			there[i] += step
			if _, _, value := derive(rows, outcomes(leads), there); value >= best {
				t.Errorf("weight %d is better %g away", i, step)
			}
		}
	}
	if slope, shift := platt([]float64{-2, -1, 1, 2, -2, -1, 1, 2}, []bool{false, false, true, true, false, true, false, true}); slope < 0.2 || slope > 2 || math.Abs(shift) > 1e-6 {
		t.Errorf("calibrated by %f and %f", slope, shift)
	}
}

// The AUC and its interval are those that can be counted by hand.
func TestAUC(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scores []int64
		yes    []bool
		want   float64
	}{
		"apart":     {[]int64{1, 2, 3, 4}, []bool{false, false, true, true}, 1},
		"turned":    {[]int64{4, 3, 2, 1}, []bool{false, false, true, true}, 0},
		"all alike": {[]int64{5, 5, 5, 5}, []bool{false, true, true, false}, 0.5},
		"one wrong": {[]int64{1, 3, 2, 4}, []bool{false, false, true, true}, 0.75},
		"a tie":     {[]int64{1, 2, 2, 4}, []bool{false, false, true, true}, 0.875},
	} {
		if got := auc(c.scores, c.yes).GetValue(); got != millionths(c.want) {
			t.Errorf("%s: %d, want %f", name, got, c.want)
		}
	}
	// Counted one by one, for an interval as DeLong writes it down.
	leads, odds := invent(200, 9, known)
	var scores []int64
	for _, z := range odds {
		scores = append(scores, int64(z*10))
	}
	result := outcomes(leads)
	var v10, v01 []float64
	beats := func(x, y int64) float64 { return float64(cmp.Compare(x, y)+1) / 2 }
	for i := range scores {
		sum, n := 0.0, 0.0
		for j := range scores {
			switch {
			case result[i] && !result[j]:
				sum, n = sum+beats(scores[i], scores[j]), n+1
			case !result[i] && result[j]:
				sum, n = sum+beats(scores[j], scores[i]), n+1
			}
		}
		if result[i] {
			v10 = append(v10, sum/n)
		} else {
			v01 = append(v01, sum/n)
		}
	}
	variance := func(v []float64) float64 {
		m, sum := mean(v), 0.0
		for _, x := range v {
			sum += (x - m) * (x - m)
		}
		return sum / float64(len(v)-1) / float64(len(v))
	}
	half := 1.96 * math.Sqrt(variance(v10)+variance(v01))
	want := &scorev1.Estimate{Value: millionths(mean(v10)), Low: millionths(mean(v10) - half), High: millionths(mean(v10) + half)}
	if diff := gocmp.Diff([]int64{want.GetValue(), want.GetLow(), want.GetHigh()}, []int64{auc(scores, result).GetValue(), auc(scores, result).GetLow(), auc(scores, result).GetHigh()}, gocmp.Comparer(func(a, b int64) bool { return max(a-b, b-a) < 10 })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// A score compared with itself gains nothing, without any doubt.
	if g := gain(scores, scores, result); g.GetValue() != 0 || g.GetLow() != 0 || g.GetHigh() != 0 {
		t.Errorf("a score gains %v over itself", g)
	}
}

// Every figure of a model is under the digest.
func TestDigestHoldsEveryFigure(t *testing.T) {
	t.Parallel()
	leads, _ := invent(1500, 23, known)
	m := trained(t, leads, Options{Without: []string{"lead.source"}})
	m.Suspects = []*scorev1.Suspect{{Field: "f", Text: "t", Auc: 1}}
	digest := Digest(m)
	changes := map[string]func(*scorev1.Model){
		"number": func(m *scorev1.Model) { m.Number++ }, "label": func(m *scorev1.Model) { m.Label = 2 }, "verdict": func(m *scorev1.Model) { m.Verdict = 2 },
		"summary": func(m *scorev1.Model) { m.Summary += "." }, "basis": func(m *scorev1.Model) { m.Basis++ }, "base": func(m *scorev1.Model) { m.Base++ },
		"auc": func(m *scorev1.Model) { m.Auc.Low++ }, "no auc": func(m *scorev1.Model) { m.Auc = nil }, "brier": func(m *scorev1.Model) { m.Brier++ }, "blind": func(m *scorev1.Model) { m.BrierBlind++ },
		"slice": func(m *scorev1.Model) { m.Slices[2].Positives++ }, "bin": func(m *scorev1.Model) { m.Reliability[3].Observed++ },
		"left out": func(m *scorev1.Model) { m.LeftOut[0].Asked = !m.LeftOut[0].Asked }, "suspect": func(m *scorev1.Model) { m.Suspects[0].Auc++ },
		"field": func(m *scorev1.Model) { m.Fields[1].Name += "x" }, "words": func(m *scorev1.Model) { m.Fields[1].Text += "x" },
		"points": func(m *scorev1.Model) { m.Fields[1].Levels[0].Points++ }, "level": func(m *scorev1.Model) { m.Fields[0].Levels[0].Value += "x" },
		"other": func(m *scorev1.Model) { m.Fields[0].Levels[0].Other = true }, "unknown": func(m *scorev1.Model) { m.Fields[0].Levels[0].Unknown = true },
		"from": func(m *scorev1.Model) { m.Fields[1].Levels[0].From = proto.Int64(2) }, "below": func(m *scorev1.Model) { m.Fields[1].Levels[0].Below = nil },
		"low": func(m *scorev1.Model) { m.Fields[0].Levels[0].Low-- }, "high": func(m *scorev1.Model) { m.Fields[0].Levels[0].High++ }, "leads": func(m *scorev1.Model) { m.Fields[0].Levels[0].Leads++ },
		"band": func(m *scorev1.Model) { m.Bands[0].Leads++ },
	}
	for what, change := range changes {
		other := proto.Clone(m).(*scorev1.Model)
		change(other)
		if Digest(other) == digest {
			t.Errorf("%s can be changed under the digest", what)
		}
	}
	if Digest(proto.Clone(m).(*scorev1.Model)) != digest {
		t.Error("a copy has another digest")
	}
}

// The alarm is off where the same leads go on coming, and on where others do.
func TestDrift(t *testing.T) {
	t.Parallel()
	leads, _ := invent(4000, 31, known)
	m := trained(t, leads, Options{})
	features := func(leads []Known) []*leadv1.Features {
		var out []*leadv1.Features
		for _, k := range leads {
			out = append(out, k.Features)
		}
		return out
	}
	same, _ := invent(1000, 32, known)
	if d := Drift(m, features(same)); d.GetAlarm() || d.GetScore() >= moved {
		t.Errorf("the same kind of leads: %v", d)
	}
	other, _ := invent(1000, 33, known)
	for _, k := range other {
		k.Features.Role = "student"
	}
	d := Drift(m, features(other))
	if !d.GetAlarm() || d.GetFields()[0].GetField() != "lead.role" || !strings.HasPrefix(d.GetSummary(), "ALARM") || d.GetScore() < alarm {
		t.Errorf("students only: %v", d)
	}
	if d := Drift(m, features(other[:150])); d.GetAlarm() || d.GetSummary() == "" {
		t.Errorf("of a few leads: %v", d)
	}
	if got := index([]int64{100, 300}, []int64{100, 300}); got != 0 {
		t.Errorf("what is alike has the index %d", got)
	}
}
