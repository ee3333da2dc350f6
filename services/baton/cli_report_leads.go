package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func reportMetrics() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics [REPORT or REPORT.FIGURE]",
		Short: "Every figure of every report: what it is called, its unit, who answers for it, and its formula",
		Long: `Lists the catalogue of figures: what to cite, the unit, the party that answers for
it, the formula in words and in SQL over the cases of the report, and over which leads.
No report shows a figure that is not in it.`,
		Example: "  baton report metrics\n  baton report metrics funnel\n  baton report metrics funnel.won\n  baton report metrics funnel --format json",
		Args:    between(0, "NAME"),
		RunE: client(func(c *call) error {
			req := &feedbackv1.ListMetricsRequest{}
			if len(c.args) > 0 {
				req.Report, _, _ = strings.Cut(c.args[0], ".")
			}
			got, err := feedbackv1.NewReportServiceClient(c.conn).ListMetrics(c.ctx, req)
			if err != nil {
				return err
			}
			if len(c.args) > 0 && strings.Contains(c.args[0], ".") {
				if err := onlyFigure(got, c.args[0]); err != nil {
					return err
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, got)
			}
			for i, r := range got.GetReports() {
				if i > 0 {
					fmt.Fprintln(out)
				}
				fmt.Fprintf(out, "%s: %s\n", cell(r.GetReport()), cell(r.GetText()))
				if r.GetCases() != "" {
					fmt.Fprintf(out, "One case is one %s.\n", cell(r.GetCases()))
				}
				if len(r.GetDimensions()) > 0 {
					fmt.Fprintf(out, "It is split by %s.\n", cell(strings.Join(r.GetDimensions(), ", ")))
				}
				fmt.Fprintln(out)
				t := table{head: []string{"FIGURE", "UNIT", "OWNER", "FORMULA", "OVER", "SQL"}, most: 36}
				for _, m := range r.GetColumns() {
					t.add(m.GetId(), m.GetUnit(), m.GetOwner(), m.GetFormula(), m.GetPopulation(), dash(m.GetSql()))
				}
				if err := t.write(out); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

// onlyFigure leaves the one figure that is cited by the id.
func onlyFigure(got *feedbackv1.ListMetricsResponse, id string) error {
	for _, r := range got.GetReports() {
		r.Columns = slices.DeleteFunc(r.GetColumns(), func(c *feedbackv1.Column) bool { return c.GetId() != id })
		if len(r.GetColumns()) == 0 {
			return fault.New(fault.Invalid, "there is no figure %q; baton report metrics %s lists those of the report", id, r.GetReport())
		}
	}
	return nil
}

func reportLeads() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leads REPORT --name FIGURE",
		Short: "The leads that a figure of a report counted",
		Long: `Lists what one figure of a report counted: the very condition of the figure over the
very leads, so that what the list adds up to is the figure. --key chooses a row of the
report, by what stands in its first column; else it is the total. The other flags are
those of the report.`,
		Example: "  baton report leads funnel --name won\n  baton report leads funnel --by source --key web --name won --from 2026-01-01",
		Args:    exactly("REPORT"),
	}
	ask := questionFlags(cmd)
	name := cmd.Flags().String("name", "", "figure, as baton report metrics names it behind the dot")
	cmd.Flags().String("format", formatTable, "how to answer: table, json or csv")
	key := cmd.Flags().String("key", "", "row of the report (default the total)")
	limit := cmd.Flags().Int("limit", defaultList, "list at most so many")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		question, err := ask(args[0])
		if err != nil {
			return err
		}
		req := &feedbackv1.ListReportLeadsRequest{Report: args[0], Question: question, Name: strings.TrimPrefix(*name, args[0]+"."), Key: *key}
		switch {
		case req.GetName() == "":
			return misused(cmd, "--name says which figure: baton report metrics %s lists them", args[0])
		case *limit < 1:
			return misused(cmd, "--limit is a whole number from 1")
		case req.GetKey() != "" && question.GetBy() == "":
			return misused(cmd, "--key is a row of a report that is split: say by what, with --by")
		}
		return client(func(c *call) error { return c.reportLeads(req, *limit) }, formatTable, formatJSON, formatCSV)(cmd, args)
	}
	return cmd
}

// defaultList is how many entries a list shows where nothing else is asked for.
const defaultList = 50

func (c *call) reportLeads(req *feedbackv1.ListReportLeadsRequest, limit int) error {
	ctx, cancel := c.patient(req.GetQuestion())
	defer cancel()
	all := &feedbackv1.ListReportLeadsResponse{}
	for {
		req.PageSize = int32(min(limit-len(all.GetLeads()), mostAtOnce)) // #nosec G115 -- at most mostAtOnce
		page, err := feedbackv1.NewReportServiceClient(c.conn).ListReportLeads(ctx, req)
		if err != nil {
			return err
		}
		all.Leads = append(all.Leads, page.GetLeads()...)
		all.Unit, all.Currency, all.OwnerIs = page.GetUnit(), page.GetCurrency(), page.GetOwnerIs()
		all.NextPageToken = page.GetNextPageToken()
		if all.GetNextPageToken() == "" || len(all.GetLeads()) >= limit {
			break
		}
		req.PageToken = all.GetNextPageToken()
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, all)
	}
	if len(all.GetLeads()) == 0 && c.format == formatTable {
		text := "No lead counts for this figure"
		see := "baton report " + req.GetReport()
		if by := req.GetQuestion().GetBy(); by != "" {
			see += " --by " + by
		}
		if req.GetKey() != "" {
			text += fmt.Sprintf(" in the row %q", cell(req.GetKey()))
		}
		fmt.Fprintf(out, "%s. %s shows which rows and figures there are.\n", text, see)
		return c.misspelt(ctx, req.GetQuestion())
	}
	if c.format == formatCSV {
		return countedCSV(out, all)
	}
	t := table{head: []string{"LEAD", "STATE", "RECEIVED", strings.ToUpper(ownerIs(all)), "VALUE" + countedUnit(all)}}
	for _, l := range all.GetLeads() {
		t.add(l.GetLeadId(), l.GetState(), stamp(l.GetReceivedAt()), dash(l.GetOwner()), countedValue(all, l))
	}
	if err := t.write(out); err != nil {
		return err
	}
	if all.GetNextPageToken() != "" {
		_, err := fmt.Fprintf(out, "There are more; --limit %d shows as many.\n", 2*limit)
		return err
	}
	return nil
}

// misspelt says what the report itself remarks of values that nothing has.
func (c *call) misspelt(ctx context.Context, question *feedbackv1.GetReportRequest) error {
	if len(question.GetWhere()) == 0 {
		return nil
	}
	r, err := feedbackv1.NewReportServiceClient(c.conn).GetReport(ctx, question)
	if err != nil {
		return err
	}
	for _, remark := range r.GetRemarks() {
		fmt.Fprintln(c.cmd.OutOrStdout(), cell(remark))
	}
	return nil
}

// ownerIs says what the people of a list did; who has the lead, if nothing else is said.
func ownerIs(all *feedbackv1.ListReportLeadsResponse) string {
	return cmp.Or(all.GetOwnerIs(), "with")
}

// countedUnit is the unit of a figure as it stands in a head; empty where a lead adds a
// mere one, as to a rate, and where each value has its unit.
func countedUnit(all *feedbackv1.ListReportLeadsResponse) string {
	switch unit := all.GetUnit(); unit {
	case "", unitRatio, unitSeconds:
		return ""
	case unitMoney:
		return " (" + cmp.Or(all.GetCurrency(), unit) + ")"
	default:
		return " (" + unit + ")"
	}
}

func countedValue(all *feedbackv1.ListReportLeadsResponse, l *feedbackv1.CountedLead) string {
	switch all.GetUnit() {
	case unitSeconds, unitMoney, unitDays:
		return readable(strconv.FormatFloat(l.GetValue(), 'f', -1, 64), all.GetUnit())
	}
	return figureText(&feedbackv1.Figure{Value: l.GetValue()}, unitNumber)
}

// countedCSV writes the list for programs: the head of the value says its unit.
func countedCSV(w io.Writer, all *feedbackv1.ListReportLeadsResponse) error {
	out := newCSVWriter(w)
	value := "value"
	switch unit := all.GetUnit(); unit {
	case "", unitRatio:
	case unitMoney:
		value += "_" + cmp.Or(all.GetCurrency(), unit)
	default:
		value += "_" + unit
	}
	if err := out.write("lead", "state", "received_at", strings.ReplaceAll(ownerIs(all), " ", "_"), value); err != nil {
		return err
	}
	for _, l := range all.GetLeads() {
		if err := out.write(l.GetLeadId(), l.GetState(), stamp(l.GetReceivedAt()), l.GetOwner(), figureText(&feedbackv1.Figure{Value: l.GetValue()}, unitNumber)); err != nil {
			return err
		}
	}
	return out.flush()
}
