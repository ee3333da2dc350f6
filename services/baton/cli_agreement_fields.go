package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
)

func agreementFields() *cobra.Command {
	return &cobra.Command{
		Use:   "fields [FILE]",
		Short: "List what conditions may read, and which source supplies it",
		Long: `Lists every fact that a condition of the agreement may ask about: what it is, its
kind and agreed words, which rules use it, and how many leads of each source stated
it in the last 90 days. What rules use and no source states is noted at the end.
Without a file: the agreement in force.`,
		Example: `  baton agreement fields
  baton agreement fields agreement.yaml
  baton agreement fields --format json`,
		Args: between(0, "FILE"),
		RunE: client(func(c *call) error {
			document, err := documentOf(c)
			if err != nil {
				return err
			}
			answer, err := agreementv1.NewAgreementServiceClient(c.conn).ListFields(c.ctx, &agreementv1.ListFieldsRequest{Document: document})
			if err != nil {
				return err
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, answer)
			}
			t := table{head: []string{"FIELD", "KIND", "WHAT IT IS", "USED BY", "STATED BY"}, most: 32}
			for _, f := range answer.GetFields() {
				t.add(f.GetName(), factKind(f), aboutOf(f), dash(strings.Join(f.GetUsedBy(), ", ")), suppliedBy(f))
			}
			if err := t.write(out); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(out, "\nSTATED BY counts the leads that each source sent in the last %d days.\n", answer.GetDays()); err != nil {
				return err
			}
			return writeNotices(out, answer.GetNotices())
		}),
	}
}

// documentOf is the document of the command's file, checked; nil without one.
func documentOf(c *call) ([]byte, error) {
	if len(c.args) == 0 {
		return nil, nil
	}
	_, document, err := compileFile(c.cmd, c.args[0], c.format)
	return document, err
}

// unsupplied asks the system that --server names which facts of a document no
// source states; nil where none is named.
func unsupplied(cmd *cobra.Command, args []string, document []byte) (notices []string, err error) {
	if !cmd.Flags().Changed("server") {
		return nil, nil
	}
	err = client(func(c *call) error {
		answer, err := agreementv1.NewAgreementServiceClient(c.conn).ListFields(c.ctx, &agreementv1.ListFieldsRequest{Document: document})
		notices = append([]string{}, answer.GetNotices()...)
		return err
	})(cmd, args)
	return notices, err
}

func writeNotices(out io.Writer, notices []string) error {
	if len(notices) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\n%s to look at:\n", counted(int64(len(notices)), "thing", "things"))
	for _, n := range notices {
		if _, err := fmt.Fprintf(out, "  %s\n", cell(n)); err != nil {
			return err
		}
	}
	return nil
}

func factKind(f *agreementv1.Field) string {
	kind := f.GetKind()
	if kind == "flag" {
		kind = "yes or no"
	}
	if f.GetUnit() != "" {
		kind += " (" + f.GetUnit() + ")"
	}
	return kind
}

// mostWords is how many agreed words a table shows.
const mostWords = 6

func aboutOf(f *agreementv1.Field) string {
	words := f.GetWords()
	switch {
	case !f.GetListed():
		return f.GetAbout()
	case len(words) == 0:
		return f.GetAbout() + ": no word is agreed"
	case len(words) > mostWords:
		return fmt.Sprintf("%s: %s and %d more", f.GetAbout(), strings.Join(words[:mostWords], ", "), len(words)-mostWords)
	}
	return f.GetAbout() + ": " + strings.Join(words, ", ")
}

func suppliedBy(f *agreementv1.Field) string {
	if f.GetToldBy() == "call" {
		return "calls"
	}
	var from []string
	for _, s := range f.GetSupply() {
		from = append(from, fmt.Sprintf("%s: %s of %s", s.GetSource(), grouped(s.GetStated()), grouped(s.GetLeads())))
	}
	return dash(strings.Join(from, ", "))
}

func agreementAudience() *cobra.Command {
	return &cobra.Command{
		Use:   "audience [FILE]",
		Short: "Export the customer profile and the personas as a filter",
		Long: `Exports whom the agreement is about, as a filter for other programs: each criterion
of the customer profile and each persona as predicates (a fact, an operator, values),
with the number of known leads that match. What is no plain comparison is given as
the condition itself. In CSV, rows of the same rule and group are alternatives, and
every group of a rule must hold. It reads the whole log. Without a file: the
agreement in force.`,
		Example: `  baton agreement audience
  baton agreement audience --format json
  baton agreement audience agreement.yaml --format csv`,
		Args: between(0, "FILE"),
		RunE: client(audience, formatTable, formatJSON, formatCSV),
	}
}

// audienceJSON is the audience for machines.
type audienceJSON struct {
	*agreement.Audience
	// Leads counts the known leads, by rule and together.
	Leads audienceCounts `json:"leads"`
}

type audienceCounts struct {
	Known    int64            `json:"known"`
	Profile  int64            `json:"profile"`
	Matching int64            `json:"matching"`
	Accounts int64            `json:"accounts"`
	Criteria map[string]int64 `json:"criteria"`
	Personas map[string]int64 `json:"personas"`
}

func audience(c *call) error {
	document, err := documentOf(c)
	if err != nil {
		return err
	}
	service := agreementv1.NewAgreementServiceClient(c.conn)
	count := &agreementv1.CountAudienceRequest{Document: document}
	if document == nil {
		inForce, err := service.GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{})
		if err != nil {
			return err
		}
		document, count.Version = inForce.GetDocument(), inForce.GetVersion()
	}
	a, err := agreement.Restore(document)
	if err != nil {
		return fault.New(fault.Invalid, "this version of Baton does not understand the agreement in force")
	}
	filter, err := a.Audience()
	if err != nil {
		return err
	}
	answer, err := service.CountAudience(c.ctx, count)
	if err != nil {
		return err
	}
	counts := audienceCounts{
		Known: answer.GetLeads(), Profile: answer.GetProfile(), Matching: answer.GetMatching(), Accounts: answer.GetAccounts(),
		Criteria: byRule(answer.GetCriteria()), Personas: byRule(answer.GetPersonas()),
	}
	switch c.format {
	case formatJSON:
		return writeJSON(c.cmd.OutOrStdout(), audienceJSON{filter, counts})
	case formatCSV:
		return audienceCSV(c, filter, counts)
	}
	out := c.cmd.OutOrStdout()
	t := table{head: []string{"RULE", "ID", "WEIGHT", "FILTER", "LEADS"}, most: 64}
	for _, r := range filter.Criteria {
		t.add("criterion", r.ID, weightOf(r), r.Filter.String(), grouped(counts.Criteria[r.ID]))
	}
	for _, r := range filter.Personas {
		t.add("persona", r.ID, "-", r.Filter.String(), grouped(counts.Personas[r.ID]))
	}
	if err := t.write(out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nOf %s, %s the customer profile (%d points needed), and %s of them a persona too; those belong to %s.\n",
		counted(counts.Known, "known lead", "known leads"), matches(counts.Profile), filter.PointsNeeded, grouped(counts.Matching),
		counted(counts.Accounts, "declared account", "declared accounts"))
	return err
}

func matches(n int64) string {
	if n == 1 {
		return "1 matches"
	}
	return grouped(n) + " match"
}

func byRule(list []*agreementv1.Matching) map[string]int64 {
	out := make(map[string]int64, len(list))
	for _, m := range list {
		out[m.GetId()] = m.GetLeads()
	}
	return out
}

func weightOf(r agreement.AudienceRule) string {
	if r.Must {
		return "must"
	}
	return counted(r.Points, "point", "points")
}

// audienceCSV writes a row for each predicate.
func audienceCSV(c *call, a *agreement.Audience, counts audienceCounts) error {
	w := newCSVWriter(c.cmd.OutOrStdout())
	if err := w.write("part", "version", "id", "must", "points", "group", "field", "operator", "values", "condition", "leads"); err != nil {
		return err
	}
	rows := func(part, version string, rules []agreement.AudienceRule, leads map[string]int64) error {
		for _, r := range rules {
			for i, group := range r.Filter {
				for _, p := range group {
					values := make([]string, len(p.Values))
					for j, v := range p.Values {
						values[j] = fmt.Sprint(v)
					}
					if err := w.write(part, version, r.ID, yesNo(r.Must), strconv.FormatInt(r.Points, 10), strconv.Itoa(i+1),
						p.Field, p.Operator, strings.Join(values, "|"), p.String(), strconv.FormatInt(leads[r.ID], 10)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	if err := rows("profile", a.ProfileVersion, a.Criteria, counts.Criteria); err != nil {
		return err
	}
	if err := rows("persona", a.PersonaVersion, a.Personas, counts.Personas); err != nil {
		return err
	}
	return w.flush()
}
