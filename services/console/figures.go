package console

import (
	"cmp"
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
)

// Units of the metric catalogue.
const (
	unitLeads      = "leads"
	unitDeliveries = "deliveries"
	unitSeconds    = "seconds"
	unitRatio      = "ratio"
	unitNumber     = "number"
	unitPeople     = "people"
	unitTurns      = "turns"
	unitMoney      = "money"
	unitDays       = "days"
)

// cell is one figure, readable.
type cell struct {
	// Text is the figure with its unit, plain for machines as well.
	Text template.HTML
	// Beside stands under the figure: the interval of a rate, the share of a
	// count; About says which.
	Beside, About string
	// Unknown where there is nothing to divide by.
	Unknown bool
	// To leads to the leads that it counted; empty = it cannot be asked which.
	To    string
	value float64
}

// column is one figure's name and formula.
type column struct {
	Name, Label, Unit, Formula string
	// Counted is the unit as people read it; Suffix the same where a figure does not
	// show it.
	Counted, Suffix string
	// Beside are the formulas of what stands under the figure.
	Beside           []string
	low, high, share string
}

// columnsOf lists a report's figures. The ends of an interval belong to their
// rate and a share to its count: they are not figures of their own.
func columnsOf(r *feedbackv1.Report) []column {
	formulas := map[string]string{}
	for _, c := range r.GetColumns() {
		formulas[c.GetName()] = c.GetFormula()
	}
	var out []column
	for _, c := range r.GetColumns() {
		name := c.GetName()
		if belongs(name, formulas) {
			continue
		}
		col := column{Name: name, Label: label(name), Unit: c.GetUnit(), Counted: unitWord(c.GetUnit()), Formula: inLabels(c.GetFormula(), formulas)}
		if c.GetUnit() == unitNumber && r.GetReport() == fairness {
			// Shares and quotas are leads, in fractions of one.
			col.Counted = unitLeads
		}
		switch c.GetUnit() {
		case unitMoney:
			col.Counted = cmp.Or(r.GetCurrency(), unitMoney)
			col.Suffix = col.Counted
		case unitDays:
			col.Label, col.Suffix = strings.TrimSuffix(col.Label, " days"), unitDays
		}
		low, isLow := formulas[name+"_low"]
		high, isHigh := formulas[name+"_high"]
		if isLow && isHigh {
			col.low, col.high, col.Beside = name+"_low", name+"_high", []string{inLabels(interval(low, high), formulas)}
		}
		if share, ok := formulas[name+"_share"]; ok {
			col.share, col.Beside = name+"_share", append(col.Beside, inLabels(share, formulas))
		}
		out = append(out, col)
	}
	return out
}

// unitWord is the unit in which a figure is shown.
func unitWord(unit string) string {
	switch unit {
	case unitRatio:
		return "%"
	case unitSeconds:
		return "time"
	}
	return unit
}

func belongs(name string, formulas map[string]string) bool {
	for _, end := range []string{"_low", "_high", "_share"} {
		if of, ok := strings.CutSuffix(name, end); ok {
			if _, ok := formulas[of]; ok {
				return true
			}
		}
	}
	return false
}

// inLabels is a formula with the labels of the figures that it names.
func inLabels(formula string, formulas map[string]string) string {
	return nameInFormula.ReplaceAllStringFunc(formula, func(name string) string {
		if _, ok := formulas[name]; !ok {
			return name
		}
		text := label(name)
		if strings.ToUpper(text[:2]) == text[:2] {
			return text
		}
		return strings.ToLower(text[:1]) + text[1:]
	})
}

// nameInFormula finds what can only be the name of a figure: a word of several parts.
var nameInFormula = regexp.MustCompile(`[a-z0-9]+(_[a-z0-9]+)+`)

// interval says in one sentence what the two ends of an interval are.
func interval(low, high string) string {
	of, isLow := strings.CutPrefix(low, "lower ")
	if above, isHigh := strings.CutPrefix(high, "upper "); isLow && isHigh && of == above {
		return "lower and upper " + of
	}
	return low + "; " + high
}

// label is a figure's name as people read it.
func label(name string) string {
	parts := strings.Split(strings.TrimSuffix(name, "_seconds"), "_")
	for i, p := range parts {
		switch p {
		case "mql", "sal", "sql":
			parts[i] = strings.ToUpper(p)
		default:
			if i == 0 && p != "" {
				parts[i] = strings.ToUpper(p[:1]) + p[1:]
			}
		}
	}
	return strings.Join(parts, " ")
}

// cellOf finds a column's figure in a row.
func cellOf(row *feedbackv1.ReportRow, col column) cell {
	f, ok := figure(row, col.Name)
	if !ok {
		return cell{Unknown: true, Text: "–"}
	}
	out := cell{Text: shown(f, col.Unit), value: f}
	low, okLow := figure(row, col.low)
	high, okHigh := figure(row, col.high)
	share, okShare := figure(row, col.share)
	switch {
	case col.low != "" && okLow && okHigh:
		out.Beside, out.About = percent(low)+"–"+percent(high)+" %", "the interval of the rate"
	case col.share != "" && okShare:
		out.Beside, out.About = percent(share)+" %", "its share"
	}
	return out
}

func figure(row *feedbackv1.ReportRow, name string) (float64, bool) {
	for _, f := range row.GetFigures() {
		if f.GetName() == name && !f.GetUnknown() && !math.IsNaN(f.GetValue()) && !math.IsInf(f.GetValue(), 0) {
			return f.GetValue(), true
		}
	}
	return 0, false
}

func shown(v float64, unit string) template.HTML {
	machine := strconv.FormatFloat(v, 'f', -1, 64)
	human := machine
	switch unit {
	case unitLeads, unitDeliveries, unitPeople, unitTurns:
		human = grouped(strconv.FormatFloat(v, 'f', 0, 64))
	case unitSeconds:
		human = lead.Took(time.Duration(v * float64(time.Second)))
	case unitRatio:
		human = percent(v) + " %"
	case unitMoney:
		whole, cents, _ := strings.Cut(strconv.FormatFloat(math.Round(v*100)/100+0, 'f', 2, 64), ".")
		human = grouped(whole) + "." + cents
	case unitNumber, unitDays:
		// A sum of fractions may be a hair below zero.
		human = strconv.FormatFloat(math.Round(v*100)/100+0, 'f', 2, 64)
	}
	return template.HTML(`<data value="` + machine + `">` + human + `</data>`) // #nosec G203 -- digits and units only
}

func percent(v float64) string { return strconv.FormatFloat(v*100, 'f', 1, 64) }

// line is one figure of the live page: today beside all time.
type line struct {
	column
	Today, All cell
	// Bar is today's share of the largest figure of its table, 0 to 100.
	Bar int
}

// linesOf puts the totals of today and of all time side by side.
func linesOf(today, all *feedbackv1.Report) []line {
	cols := columnsOf(all)
	if len(cols) == 0 {
		cols = columnsOf(today)
	}
	out := make([]line, 0, len(cols))
	var most float64
	for _, c := range cols {
		l := line{column: c, Today: cellOf(today.GetTotal(), c), All: cellOf(all.GetTotal(), c)}
		if c.Unit == unitLeads {
			most = max(most, l.Today.value)
		}
		out = append(out, l)
	}
	if most > 0 {
		for i := range out {
			if out[i].Unit == unitLeads {
				out[i].Bar = int(math.Round(out[i].Today.value / most * 100))
			}
		}
	}
	return out
}
