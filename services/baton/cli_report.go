package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/report"
)

func reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "report NAME",
		GroupID: groupLook,
		Short:   "Figures that both departments read: " + strings.Join(report.ReportNames(), ", "),
		Long: `Computes a report. Each figure has one agreed formula, whoever asks.

  funnel     how many leads came, how many reached each stage, what became of them,
             and rates with their 95 % bounds (_low and _high)
  response   how soon sales first answered: within 1 h, within 24 h, later, never; in
             clock time and in working time, beside what others have published
  definitions
             what each version of the agreement brought: leads that it decided
             first, MQL, SAL, SQL, how many came back, how many handoffs one SQL
             takes, how many were taken and how soon; and the same before and after
             each change, over two windows of equal length (at most 30 days)
  fairness   pool by pool, whom its leads were given to beside who was there: turns,
             share, kinds of turns, quota; and whether what somebody got is explained
             by who was there (docs/fairness.md). Its times are those of the turns
  second-chance
             leads that one person declined and another took, and what came of them
  load       who has had which leads, changes of owner, what is open; idle people too
  quality    how many leads of each source sales accepts, how many become SQL; with
             --by quarter --where source=web the trend of one
  scoreboard do they follow up, and are the leads bad: both rates over the same leads
  conversion how many MQL became SAL, SQL and sales, by the version of the agreement
             that qualified them
  cycle      days from a lead to its sale, or to its loss
  value      deals won and lost, win rate, what they are worth
  leak       leads qualified and offered that nobody ever accepted or rejected
  purpose    what leads are for, and what came of those
  segments   which industries are the easiest
  reasons    why leads were rejected, where that led, and what was credited; by reason
             unless --by says otherwise (also consequence, credit)
  disputes   what the departments held against each other, how it was decided and
             against whom; also --by party, claim, verdict, finding
  phrases    phrases that prospects used, in how many leads and verticals; by phrase
             unless --by says otherwise (also vertical)
  hygiene    whether what marketing asks about leads is told in time; by person unless
             --by says otherwise (also question)
  sla        whether the agreed times are kept: runs of each clock that were met or
             breached, what was said and done, time on the clock; by clock unless --by
             says otherwise (also department, holder)
  padding    whether the number of MQL says more than there is: persons counted twice,
             leads that fail the definition, that were dated back, that all came at the
             end of a quarter, or have just enough points
  effect     opportunities week by week before and after a campaign's launch, with an
             alarm where they fall: --campaign NAME, and --launched where that was not
             with its first lead
  growth     opportunities and revenue by quarter against the agreed baseline, beside
             how far both departments kept to what they agreed on
  training   rides along: how often marketing asked to listen to a talk of sales,
             and did

Those from quality on are split as their line says where --by does not say otherwise
(docs/reports.md). A rate of fewer than 30 cases is marked with *.

--from and --to choose leads by when they were received; --as-of asks what had
happened by then, as far as it is known by now; --known-at answers as it was answered
then, from what the log held: that folds the log anew and takes a while. Where the
agreement names a baseline, reports start there unless --from or --earlier says
otherwise. Imported history counts with --historical only.
In JSON and CSV what is unknown, such as a rate of nothing, is null or empty.`,
		Example: `  baton report funnel
  baton report funnel --by source --from 2026-01-01 --to 2026-04-01
  baton report response --by person --format csv
  baton report quality --by quarter --where source=web
  baton report value --by product
  baton report definitions
  baton report fairness --pool inside --from 2026-01-01
  baton report load --historical
  baton report metrics funnel
  baton report leads funnel --by source --key web --name won
  baton report funnel --as-of 2026-03-31T18:00:00+02:00 --format json`,
		Args: exactly("NAME"),
	}
	ask := questionFlags(c)
	c.Flags().String("format", formatTable, "how to answer: table, json or csv")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		req, err := ask(args[0])
		if err != nil {
			return err
		}
		return client(func(c *call) error {
			ctx, cancel := c.patient(req)
			defer cancel()
			r, err := feedbackv1.NewReportServiceClient(c.conn).GetReport(ctx, req)
			if err != nil {
				return err
			}
			if c.format == formatCSV {
				// A file of figures has no place for remarks, and a misspelt word is one.
				for _, remark := range r.GetRemarks() {
					fmt.Fprintln(c.cmd.ErrOrStderr(), cell(remark))
				}
			}
			return writeReport(c.cmd.OutOrStdout(), r, c.format)
		}, formatTable, formatJSON, formatCSV)(cmd, args)
	}
	c.AddCommand(reportMetrics(), reportLeads(), reportEvidence())
	return c
}

// questionFlags gives a command the flags of a question to a report; what it answers
// reads them.
func questionFlags(cmd *cobra.Command) func(report string) (*feedbackv1.GetReportRequest, error) {
	flags := cmd.Flags()
	by := &once{}
	flags.Var(by, "by", "split by "+strings.Join(report.Dimensions(), ", "))
	where := flags.StringArray("where", nil, "only leads with such a value, as source=web; several of one dimension are alternatives")
	frame := flags.String("frame", "", "what the period is about: cohort (leads received in it) or activity (what happened in it) (default cohort)")
	flags.String("from", "", "start of the period")
	flags.String("to", "", "end of the period, which does not belong to it")
	flags.String("as-of", "", "what had happened by then (default now)")
	flags.String("known-at", "", "what had become known by then, as it was answered then (default all that is known)")
	definition := flags.Int64("definition", 0, "what this version of the agreement would have made of the same leads, beside what was stated (report funnel)")
	pool := flags.String("pool", "", "only this pool, in the reports fairness and second-chance (default all)")
	horizon := flags.Int32("horizon-days", 0, "days within which an answer counts (default 30)")
	earlier := flags.Bool("earlier", false, "count leads from before the agreed baseline as well")
	campaign := flags.String("campaign", "", "campaign whose effect is asked for (report effect)")
	flags.String("launched", "", "when it was launched (default when its first lead was received)")
	historical := flags.Bool("historical", false, "count imported history as well")
	return func(report string) (req *feedbackv1.GetReportRequest, err error) {
		req = &feedbackv1.GetReportRequest{
			Report: report, By: by.String(), Definition: *definition, HorizonDays: *horizon, Historical: *historical, Earlier: *earlier, Pool: *pool,
			Frame: *frame, Where: *where, Campaign: *campaign,
		}
		if len(by.said) > 1 || strings.Contains(req.GetBy(), ",") {
			return nil, misused(cmd, "--by splits by one thing; choose the other with --where, as in --by quarter --where campaign=spring")
		}
		if req.GetDefinition() < 0 || req.GetHorizonDays() < 0 {
			return nil, misused(cmd, "--definition and --horizon-days are whole numbers from 1")
		}
		if req.From, req.To, err = spanFlags(cmd); err != nil {
			return nil, err
		}
		if req.AsOf, err = instantFlag(cmd, "as-of"); err != nil {
			return nil, err
		}
		if req.Launched, err = instantFlag(cmd, "launched"); err != nil {
			return nil, err
		}
		req.KnownAt, err = instantFlag(cmd, "known-at")
		return req, err
	}
}

// once is a flag of which a second value is noticed, where the last would silently win.
type once struct{ said []string }

func (o *once) Set(value string) error {
	o.said = append(o.said, value)
	return nil
}

func (o *once) Type() string { return "string" }

// String is the value; empty = none was given.
func (o *once) String() string {
	if len(o.said) == 0 {
		return ""
	}
	return o.said[0]
}

// patient is a context for a question: one for which the log is read anew takes longer.
func (c *call) patient(q *feedbackv1.GetReportRequest) (context.Context, context.CancelFunc) {
	if q.GetKnownAt() == nil && q.GetDefinition() == 0 {
		return context.WithCancel(c.ctx)
	}
	return context.WithTimeout(c.ctx, foldedWithin)
}

// writeReport prints a report in one of the formats.
func writeReport(w io.Writer, r *feedbackv1.Report, format string) error {
	switch format {
	case formatJSON:
		return reportJSON(w, r)
	case formatCSV:
		return reportCSV(w, r)
	}
	return reportTable(w, r)
}

const (
	unitRatio   = "ratio"
	unitSeconds = "seconds"
	unitNumber  = "number"
	unitMoney   = "money"
	unitDays    = "days"
)

// figureText is a figure without the noise of its computation; empty where it
// is unknown.
func figureText(f *feedbackv1.Figure, unit string) string {
	v := f.GetValue()
	if f.GetUnknown() || math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	decimals := 0
	switch unit {
	case unitRatio:
		decimals = 6
	case unitSeconds, unitNumber, unitMoney, unitDays:
		decimals = 3
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		s = "0"
	}
	return s
}

// figures are a row's figures in the order of the columns.
func figures(r *feedbackv1.Report, row *feedbackv1.ReportRow) []string {
	byName := make(map[string]*feedbackv1.Figure, len(row.GetFigures()))
	for _, f := range row.GetFigures() {
		byName[f.GetName()] = f
	}
	out := make([]string, len(r.GetColumns()))
	for i, c := range r.GetColumns() {
		if f := byName[c.GetName()]; f != nil {
			out[i] = figureText(f, c.GetUnit())
		}
	}
	return out
}

// reportJSON writes the columns in their order, which a map would lose.
func reportJSON(w io.Writer, r *feedbackv1.Report) error {
	var b bytes.Buffer
	field := func(name string, value any) error {
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%q:%s,", name, raw)
		return nil
	}
	row := func(row *feedbackv1.ReportRow, keyed bool) error {
		b.WriteByte('{')
		if keyed {
			if err := field("key", row.GetKey()); err != nil {
				return err
			}
		}
		for _, f := range [][2]string{{"pool", row.GetPool()}, {"member", row.GetMember()}} {
			if f[1] == "" {
				continue
			}
			if err := field(f[0], f[1]); err != nil {
				return err
			}
		}
		if row.GetFrom() != nil {
			if err := field("from", stamp(row.GetFrom())); err != nil {
				return err
			}
			if err := field("to", orNull(stamp(row.GetTo()))); err != nil {
				return err
			}
		}
		if row.GetCases() > 0 {
			if err := field("cases", row.GetCases()); err != nil {
				return err
			}
		}
		for i, text := range figures(r, row) {
			value := json.RawMessage(text)
			if text == "" {
				value = json.RawMessage("null")
			}
			if err := field(r.GetColumns()[i].GetName(), value); err != nil {
				return err
			}
		}
		closeList(&b, '}')
		return nil
	}
	b.WriteByte('{')
	definition, baseline := any(nil), any(nil)
	if r.GetAtBaseline() {
		baseline = stamp(r.GetBaseline())
	}
	if r.GetDefinition() > 0 {
		definition = r.GetDefinition()
	}
	for _, f := range []struct {
		name  string
		value any
	}{
		{"report", r.GetReport()},
		{"as_of", orNull(stamp(r.GetAsOf()))},
		{"known_at", orNull(stamp(r.GetKnownAt()))},
		{"from", orNull(stamp(r.GetFrom()))},
		{"to", orNull(stamp(r.GetTo()))},
		{"definition", definition},
		{"baseline", baseline},
	} {
		if err := field(f.name, f.value); err != nil {
			return err
		}
	}
	b.WriteString(`"rows":[`)
	for _, each := range r.GetRows() {
		if err := row(each, true); err != nil {
			return err
		}
		b.WriteByte(',')
	}
	closeList(&b, ']')
	b.WriteString(`,"total":`)
	if err := row(r.GetTotal(), false); err != nil {
		return err
	}
	for i, c := range r.GetComparisons() {
		b.WriteString(map[bool]string{true: `,"comparisons":[{`, false: `,{`}[i == 0])
		for _, f := range []struct {
			name  string
			value any
		}{
			{"before_version", c.GetBeforeVersion()},
			{"after_version", c.GetAfterVersion()},
			{"at", stamp(c.GetAt())},
			{"window_seconds", c.GetWindowSeconds()},
		} {
			if err := field(f.name, f.value); err != nil {
				return err
			}
		}
		b.WriteString(`"before":`)
		if err := row(c.GetBefore(), false); err != nil {
			return err
		}
		b.WriteString(`,"after":`)
		if err := row(c.GetAfter(), false); err != nil {
			return err
		}
		b.WriteByte('}')
	}
	if len(r.GetComparisons()) > 0 {
		b.WriteByte(']')
	}
	if err := personJSON(&b, r); err != nil {
		return err
	}
	if err := notesJSON(&b, r); err != nil {
		return err
	}
	b.WriteByte('}')
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := w.Write(out.Bytes())
	return err
}

// closeList puts the end in place of the last comma.
func closeList(b *bytes.Buffer, end byte) {
	if n := b.Len(); n > 0 && b.Bytes()[n-1] == ',' {
		b.Truncate(n - 1)
	}
	b.WriteByte(end)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

const keyTotal = "total"

func reportCSV(w io.Writer, r *feedbackv1.Report) error {
	out := newCSVWriter(w)
	head := []string{"key"}
	for _, c := range r.GetColumns() {
		head = append(head, c.GetName())
	}
	if err := out.write(head...); err != nil {
		return err
	}
	for _, row := range r.GetRows() {
		if err := out.write(append([]string{row.GetKey()}, figures(r, row)...)...); err != nil {
			return err
		}
	}
	if err := out.write(append([]string{keyTotal}, figures(r, r.GetTotal())...)...); err != nil {
		return err
	}
	for _, c := range r.GetComparisons() {
		// Their leads are among those of the rows already, so they stand below the total.
		change := fmt.Sprintf("%d to %d, ", c.GetBeforeVersion(), c.GetAfterVersion())
		if err := out.write(append([]string{change + "before"}, figures(r, c.GetBefore())...)...); err != nil {
			return err
		}
		if err := out.write(append([]string{change + "after"}, figures(r, c.GetAfter())...)...); err != nil {
			return err
		}
	}
	return out.flush()
}

// sideBySide is how many rows still fit beside each other on a terminal.
const sideBySide = 5

func reportTable(w io.Writer, r *feedbackv1.Report) error {
	fmt.Fprintf(w, "%s as of %s", cell(r.GetReport()), stamp(r.GetAsOf()))
	if r.GetKnownAt() != nil {
		fmt.Fprintf(w, ", known at %s", stamp(r.GetKnownAt()))
	}
	of := "received "
	if r.GetReport() == reportFairness {
		of = "turns "
	}
	if r.GetFrom() != nil {
		fmt.Fprintf(w, ", %sfrom %s", of, stamp(r.GetFrom()))
		if r.GetAtBaseline() {
			fmt.Fprint(w, " (the agreed baseline; --earlier counts what came before)")
		}
	}
	if r.GetTo() != nil {
		fmt.Fprintf(w, ", %sbefore %s", of, stamp(r.GetTo()))
	}
	if r.GetDefinition() > 0 {
		fmt.Fprintf(w, ", re-stated under agreement version %d", r.GetDefinition())
	}
	fmt.Fprint(w, "\n\n")
	rows := append(slices.Clone(r.GetRows()), r.GetTotal())
	for _, row := range r.GetRows() {
		if row.GetFrom() == nil || r.GetReport() != reportDefinitions {
			continue // a row by week says by its key when it was
		}
		if row.GetTo() == nil {
			fmt.Fprintf(w, "Version %s is in force since %s.\n", cell(row.GetKey()), stamp(row.GetFrom()))
			continue
		}
		fmt.Fprintf(w, "Version %s was in force from %s until %s.\n", cell(row.GetKey()), stamp(row.GetFrom()), stamp(row.GetTo()))
	}
	if err := figuresByPool(w, r, rows); err != nil {
		return err
	}
	if err := personTables(w, r); err != nil {
		return err
	}
	for _, c := range r.GetComparisons() {
		fmt.Fprintf(w, "\nVersion %d came into force on %s. Before and after, over %s each: leads that were received in\nthat time and decided first by the version then in force.\n\n",
			c.GetAfterVersion(), stamp(c.GetAt()), windowText(time.Duration(c.GetWindowSeconds())*time.Second))
		heads := []string{fmt.Sprintf("BEFORE (%d)", c.GetBeforeVersion()), fmt.Sprintf("AFTER (%d)", c.GetAfterVersion())}
		pair := []*feedbackv1.ReportRow{proto.CloneOf(c.GetBefore()), proto.CloneOf(c.GetAfter())}
		for i := range pair {
			pair[i].Key = heads[i]
		}
		if err := figuresTable(r, pair, func(key string) string { return key }).write(w); err != nil {
			return err
		}
	}
	if err := reportNotes(w, r); err != nil {
		return err
	}
	about := cell(r.GetPopulation())
	if slices.ContainsFunc(r.GetColumns(), func(c *feedbackv1.Column) bool { _, bound := boundOf(c.GetName()); return bound }) {
		about += " In brackets stands where a rate lies with 95 % confidence: the fewer leads, the wider."
	}
	if r.GetEventSet() != "" {
		about += " " + madeOf(r.GetEventSet())
	}
	_, err := fmt.Fprintf(w, "\n%s\n", about)
	return err
}

// madeOf says of which events a report was made.
func madeOf(eventSet string) string {
	log, last, ok := strings.Cut(eventSet, "@")
	if !ok {
		return ""
	}
	return fmt.Sprintf("Made of log %s up to event %s.", cell(log), cell(last))
}

// windowText is the length of a window in words.
func windowText(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d%day == 0:
		return counted(int64(d/day), "day", "days")
	case d > 2*day:
		return fmt.Sprintf("%d days %d hours", d/day, d%day/time.Hour)
	}
	return d.String()
}

// figuresTable are rows with their figures: few rows beside each other, many below
// each other.
func figuresTable(r *feedbackv1.Report, rows []*feedbackv1.ReportRow, headOf func(string) string) *table {
	columns, shown := shownColumns(r, rows)
	var t table
	if len(rows) <= sideBySide+1 {
		// Few rows stand beside each other, so that each figure has a line.
		t.head = []string{"FIGURE"}
		for _, row := range rows {
			t.head = append(t.head, headOf(row.GetKey()))
		}
		t.head = append(t.head, "UNIT")
		for i, c := range columns {
			line := []string{nameText(c.GetName())}
			for j := range rows {
				line = append(line, shown[j][i])
			}
			t.add(append(line, unitText(r, c.GetUnit()))...)
		}
	} else {
		t.head = []string{"KEY"}
		for _, c := range columns {
			t.head = append(t.head, nameText(c.GetName())+" ("+unitText(r, c.GetUnit())+")")
		}
		for j, row := range rows {
			t.add(append([]string{headOf(row.GetKey())}, shown[j]...)...)
		}
	}
	return &t
}

func headOf(key string) string {
	switch key {
	case "":
		return "(none)"
	case keyTotal:
		return "TOTAL"
	}
	return key
}

// nameText is a figure's name as people read it; what a program reads keeps the
// name.
func nameText(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(name, "_seconds"), "_days"), "_", " ")
}

func unitText(r *feedbackv1.Report, unit string) string {
	switch unit {
	case unitNumber:
		// Shares and quotas are leads, in fractions of one.
		if r.GetReport() == reportFairness {
			return "leads"
		}
	case unitMoney:
		if r.GetCurrency() != "" {
			return r.GetCurrency()
		}
	case unitRatio:
		return "%"
	case unitSeconds:
		return "time"
	}
	return unit
}

// shownColumns are the columns of a table, with each rate and its bounds in one.
func shownColumns(r *feedbackv1.Report, rows []*feedbackv1.ReportRow) (columns []*feedbackv1.Column, shown [][]string) {
	all := r.GetColumns()
	at := make(map[string]int, len(all))
	for i, c := range all {
		at[c.GetName()] = i
	}
	values := make([][]string, len(rows))
	for j, row := range rows {
		values[j] = figures(r, row)
	}
	shown = make([][]string, len(rows))
	for i, c := range all {
		if rate, isBound := boundOf(c.GetName()); isBound {
			if _, there := at[rate]; there {
				continue
			}
		}
		columns = append(columns, c)
		for j := range rows {
			text := readable(values[j][i], c.GetUnit())
			if c.GetUnit() == unitRatio && values[j][i] != "" && few(rows[j]) {
				text += "*"
			}
			low, hasLow := at[c.GetName()+"_low"]
			high, hasHigh := at[c.GetName()+"_high"]
			if hasLow && hasHigh && values[j][low] != "" && values[j][high] != "" {
				text += " (" + readable(values[j][low], c.GetUnit()) + " to " + readable(values[j][high], c.GetUnit()) + ")"
			}
			shown[j] = append(shown[j], text)
		}
	}
	return columns, shown
}

func boundOf(name string) (rate string, ok bool) {
	if rate, ok = strings.CutSuffix(name, "_low"); ok {
		return rate, true
	}
	return strings.CutSuffix(name, "_high")
}

// readable writes a figure for people.
func readable(text, unit string) string {
	if text == "" {
		return "unknown"
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	switch unit {
	case unitRatio:
		return strconv.FormatFloat(v*100, 'f', 1, 64)
	case unitMoney:
		whole, cents, _ := strings.Cut(strconv.FormatFloat(math.Abs(math.Round(v*100)/100), 'f', 2, 64), ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return text
		}
		return strings.Repeat("-", map[bool]int{true: 1}[v <= -0.005]) + grouped(n) + "." + cents
	case unitNumber, unitDays:
		// A sum of fractions may be a hair below zero.
		return strconv.FormatFloat(math.Round(v*100)/100+0, 'f', 2, 64)
	case unitSeconds:
		return lead.Took(time.Duration(math.Round(v)) * time.Second)
	}
	return grouped(int64(math.Round(v)))
}
