package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// fewCases is from how many cases on a rate says something.
const fewCases = 30

// few says that a row rests on so few cases that its rates are mostly chance. Of a row
// whose cases are not known it says nothing.
func few(row *feedbackv1.ReportRow) bool { return row.GetCases() > 0 && row.GetCases() < fewCases }

// reportNotes prints what stands below a report's figures: what its marks mean, what
// others have published, and what stands out.
func reportNotes(w io.Writer, r *feedbackv1.Report) error {
	hasRate := slices.ContainsFunc(r.GetColumns(), func(c *feedbackv1.Column) bool { return c.GetUnit() == unitRatio })
	if hasRate && (few(r.GetTotal()) || slices.ContainsFunc(r.GetRows(), few)) {
		fmt.Fprintf(w, "\n* fewer than %d cases: another few would move the rate a lot.\n", fewCases)
	}
	if len(r.GetBenchmarks()) > 0 {
		fmt.Fprintln(w)
		all := figures(r, r.GetTotal())
		t := table{head: []string{"FIGURE", "HERE", "PUBLISHED", "UNIT", "BY"}}
		for _, b := range r.GetBenchmarks() {
			i := slices.IndexFunc(r.GetColumns(), func(c *feedbackv1.Column) bool { return c.GetName() == b.GetName() })
			if i < 0 {
				continue
			}
			unit := r.GetColumns()[i].GetUnit()
			published := readable(figureText(&feedbackv1.Figure{Value: b.GetValue()}, unit), unit)
			t.add(nameText(b.GetName()), readable(all[i], unit), published, unitText(r, unit), cell(b.GetSource()))
		}
		if err := t.write(w); err != nil {
			return err
		}
	}
	if len(r.GetRemarks()) > 0 {
		fmt.Fprintln(w)
	}
	for _, remark := range r.GetRemarks() {
		fmt.Fprintln(w, cell(remark))
	}
	return nil
}

// notesJSON writes the same for programs, and names the events that every figure was
// made of.
func notesJSON(b *bytes.Buffer, r *feedbackv1.Report) error {
	write := func(name string, value any) error {
		raw, err := json.Marshal(value)
		if err == nil {
			fmt.Fprintf(b, ",%q:%s", name, raw)
		}
		return err
	}
	type line struct {
		Name   string  `json:"name"`
		Value  float64 `json:"value"`
		Source string  `json:"source"`
	}
	var lines []line
	for _, each := range r.GetBenchmarks() {
		lines = append(lines, line{each.GetName(), each.GetValue(), each.GetSource()})
	}
	if len(lines) > 0 {
		if err := write("benchmarks", lines); err != nil {
			return err
		}
	}
	if len(r.GetRemarks()) > 0 {
		if err := write("remarks", r.GetRemarks()); err != nil {
			return err
		}
	}
	if r.GetEventSet() != "" {
		return write("event_set", r.GetEventSet())
	}
	return nil
}
