package score

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

const (
	// fewestLast is how many leads it takes to say anything.
	fewestLast = 200
	// moved and alarm are population stability indices, in millionths.
	moved, alarm = 100_000, 250_000
)

// Drift says how the last leads differ from those that a model learned from;
// nil where the model has no table.
func Drift(m *scorev1.Model, last []*leadv1.Features) *scorev1.Drift {
	table := NewModel(m)
	if table == nil {
		return nil
	}
	out := &scorev1.Drift{Leads: int64(len(last))}
	if len(last) < fewestLast {
		out.Summary = fmt.Sprintf("%d of the %d leads came that it takes to say whether they differ from those of the training.", len(last), fewestLast)
		return out
	}
	then, now := make([]int64, len(m.GetBands())), make([]int64, len(m.GetBands()))
	for i, b := range m.GetBands() {
		then[i] = b.GetLeads()
	}
	for _, f := range last {
		now[bandOf(m.GetBands(), table.total(f))]++
	}
	out.Score = index(then, now)
	for _, field := range m.GetFields() {
		// The last cell is for what the training never met.
		then, now := make([]int64, len(field.GetLevels())+1), make([]int64, len(field.GetLevels())+1)
		for i, l := range field.GetLevels() {
			then[i] = l.GetLeads()
		}
		for _, f := range last {
			at := slices.Index(field.GetLevels(), levelOf(field, valueOf(f, field.GetName())))
			if at < 0 {
				at = len(field.GetLevels())
			}
			now[at]++
		}
		out.Fields = append(out.Fields, &scorev1.FieldDrift{Field: field.GetName(), Text: field.GetText(), Index: index(then, now)})
	}
	slices.SortStableFunc(out.Fields, func(a, b *scorev1.FieldDrift) int { return cmp.Compare(b.GetIndex(), a.GetIndex()) })
	var far, some []string
	for _, f := range out.GetFields() {
		switch {
		case f.GetIndex() >= alarm:
			far = append(far, f.GetText())
		case f.GetIndex() >= moved:
			some = append(some, f.GetText())
		}
	}
	out.Alarm = out.GetScore() >= alarm || len(far) > 0
	switch {
	case out.GetAlarm():
		what := "the scores themselves"
		if len(far) > 0 {
			what = strings.Join(far, ", ")
		}
		out.Summary = fmt.Sprintf("ALARM: the last %d leads are not those that this was learned from: %s. Train again before you trust it.", len(last), what)
	case out.GetScore() >= moved || len(some) > 0:
		out.Summary = fmt.Sprintf("The last %d leads begin to differ from those of the training: %s.", len(last), cmp.Or(strings.Join(some, ", "), "the scores themselves"))
	default:
		out.Summary = fmt.Sprintf("The last %d leads are like those of the training.", len(last))
	}
	return out
}
