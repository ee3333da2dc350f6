package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
)

const (
	reportFairness    = "fairness"
	reportDefinitions = "definitions"
)

// figuresByPool prints the rows of a report: those of each pool by themselves, where
// they are of pools.
func figuresByPool(w io.Writer, r *feedbackv1.Report, rows []*feedbackv1.ReportRow) error {
	var pools []string
	for _, row := range rows {
		if p := row.GetPool(); p != "" && !slices.Contains(pools, p) {
			pools = append(pools, p)
		}
	}
	if len(r.GetRows()) == 0 && r.GetReport() == reportFairness {
		_, err := fmt.Fprintln(w, "No lead was offered to anybody in this pool and this time. baton agreement show names the\npools; --from, --to and --pool choose others.")
		return err
	}
	if len(pools) == 0 {
		return figuresTable(r, rows, headOf).write(w)
	}
	for i, pool := range pools {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "Pool %s\n\n", cell(pool))
		for _, f := range r.GetFindings() {
			if f.GetPool() == pool {
				fmt.Fprintf(w, "%s\n", cell(f.GetText()))
			}
		}
		var of []*feedbackv1.ReportRow
		for _, row := range rows {
			if row.GetPool() == pool {
				of = append(of, row)
			}
		}
		fmt.Fprintln(w)
		if err := figuresTable(r, of, func(key string) string { return key[len(pool)+1:] }).write(w); err != nil {
			return err
		}
	}
	return nil
}

// personTables prints the leads that had a second chance.
func personTables(w io.Writer, r *feedbackv1.Report) error {
	if len(r.GetSecondChances()) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	t := table{head: []string{"LEAD", "DECLINED BY", "REASON", "ON", "TAKEN BY", "ON", "NOW", "VALUE"}}
	for _, c := range r.GetSecondChances() {
		t.add(c.GetLeadId(), c.GetDeclinedBy(), dash(c.GetReason()), stamp(c.GetDeclinedAt()), c.GetTakenBy(), stamp(c.GetTakenAt()), c.GetState(), dash(worthText(c)))
	}
	if err := t.write(w); err != nil {
		return err
	}
	if n := r.GetNotListed(); n > 0 {
		fmt.Fprintf(w, "There are %s more; --from and --to choose others.\n", grouped(n))
	}
	return nil
}

func worthText(c *feedbackv1.SecondChance) string {
	if c.GetValueMinor() == 0 {
		return ""
	}
	return lead.Money(c.GetValueMinor(), c.GetCurrency())
}

// personJSON writes what a report found and the leads that it lists.
func personJSON(b *bytes.Buffer, r *feedbackv1.Report) error {
	list := func(name string, rows []map[string]any) error {
		raw, err := json.Marshal(rows)
		if err == nil {
			fmt.Fprintf(b, ",%q:%s", name, raw)
		}
		return err
	}
	var findings, chances []map[string]any
	for _, f := range r.GetFindings() {
		findings = append(findings, map[string]any{
			"pool": f.GetPool(), "test": f.GetTest(), "verdict": f.GetVerdict(), "member": orNull(f.GetMember()), "leads": f.GetLeads(),
			"probability": f.GetProbability(), "turns": f.GetTurns(), "text": f.GetText(),
		})
	}
	for _, c := range r.GetSecondChances() {
		chances = append(chances, map[string]any{
			"lead": c.GetLeadId(), "pool": c.GetPool(), "declined_by": c.GetDeclinedBy(), "reason": c.GetReason(), "declined_at": stamp(c.GetDeclinedAt()),
			"taken_by": c.GetTakenBy(), "taken_at": stamp(c.GetTakenAt()), "state": c.GetState(), "value_minor": c.GetValueMinor(), "currency": orNull(c.GetCurrency()),
		})
	}
	if len(findings) > 0 {
		if err := list("findings", findings); err != nil {
			return err
		}
	}
	if len(chances) > 0 {
		if err := list("second_chances", chances); err != nil {
			return err
		}
		fmt.Fprintf(b, `,"not_listed":%d`, r.GetNotListed())
	}
	if r.GetCurrency() != "" {
		fmt.Fprintf(b, ",%q:%q", "currency", r.GetCurrency())
	}
	return nil
}
