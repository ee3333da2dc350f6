package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/fault"
)

func personCommands() *cobra.Command {
	return group(&cobra.Command{
		Use:     "person",
		GroupID: groupWork,
		Short:   "Who leads belong to: who is one, who may be, who is not",
		Long: `A person is whom leads belong to. Leads with the same e-mail address or telephone
number are one person's. Who is alike enough joins by itself; who is nearly as much
alike is suggested, and somebody decides:

  baton person matches                          who may be one
  baton person merge INTO FROM --reason TEXT    they are; INTO stays
  baton person dismiss ID OTHER                 they are not
  baton person unmerge FROM --reason TEXT       takes a merge back

Nothing that was said of either moves with a merge, so it can always be taken back.`,
	}, personShow(), personMatches(), personMerge(), personUnmerge(), personDismiss(), personDedupe())
}

func personShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a person: their leads, their owner, who was merged into them",
		Long:    `Shows a person by any of their ids. baton lead show names a lead's person.`,
		Example: `  baton person show pjx4ukk3f6vw2kdoi7s5mqz5b2y`,
		Args:    exactly("ID"),
		RunE:    client(func(c *call) error { return c.person(c.args[0]) }),
	}
}

// person shows a person as they stand.
func (c *call) person(id string) error {
	p, err := personv1.NewPersonServiceClient(c.conn).GetPerson(c.ctx, &personv1.GetPersonRequest{PersonId: id})
	if err != nil {
		return err
	}
	out := c.cmd.OutOrStdout()
	if c.format == formatJSON {
		return writeMessage(out, p)
	}
	f := facts{}
	f.add("person", p.GetPersonId())
	f.add("also found as", strings.Join(p.GetMergedIds(), ", "))
	f.add("owner", dash(p.GetOwner()))
	f.add("collision", collisionText(p.GetCollision()))
	touchFacts(&f, p.GetFirst(), p.GetLast(), p.GetHandoff())
	for _, lead := range p.GetLeadIds() {
		f.add("lead", lead)
	}
	return f.write(out)
}

// writeCollisions lists who has more than one owner; nothing where nobody has.
func writeCollisions(out io.Writer, collisions []*personv1.Collision) error {
	for _, c := range collisions {
		if _, err := fmt.Fprintf(out, "collision: person %s: %s\n", cell(c.GetPersonId()), cell(collisionText(c.GetHeld()))); err != nil {
			return err
		}
	}
	return nil
}

// collisionText says which members have which open leads of one person.
func collisionText(held []*personv1.Ownership) string {
	var out []string
	for _, h := range held {
		out = append(out, h.GetMember()+" has "+h.GetLeadId())
	}
	return strings.Join(out, ", ")
}

func personMatches() *cobra.Command {
	return &cobra.Command{
		Use:   "matches",
		Short: "List persons who may be one, the surest first",
		Long: `Lists the open suggestions: persons who are alike, but not enough to be joined
without anybody's word. Each ends with baton person merge or baton person dismiss.
Below them stands whose open leads are with more than one member: one person is to have
one owner, so somebody of them hands theirs over.`,
		Example: `  baton person matches
  baton person matches --format json`,
		Args: exactly(),
		RunE: client(func(c *call) error {
			service := personv1.NewPersonServiceClient(c.conn)
			all := &personv1.ListMatchesResponse{}
			for token := ""; ; {
				page, err := service.ListMatches(c.ctx, &personv1.ListMatchesRequest{PageSize: 500, PageToken: token})
				if err != nil {
					return err
				}
				all.Matches = append(all.Matches, page.GetMatches()...)
				all.Collisions = append(all.Collisions, page.GetCollisions()...)
				if token = page.GetNextPageToken(); token == "" {
					break
				}
			}
			out := c.cmd.OutOrStdout()
			if c.format == formatJSON {
				return writeMessage(out, all)
			}
			if len(all.GetMatches()) == 0 {
				if _, err := fmt.Fprintln(out, "Nobody is alike without being one."); err != nil {
					return err
				}
				return writeCollisions(out, all.GetCollisions())
			}
			t := table{head: []string{"PERSON", "OTHER", "SURE", "ALIKE", "SINCE"}}
			for _, m := range all.GetMatches() {
				t.add(m.GetPersonId(), m.GetOtherId(), fmt.Sprintf("%d %%", m.GetConfidence()), strings.Join(m.GetAlike(), ", "), stamp(m.GetSince()))
			}
			if err := t.write(out); err != nil {
				return err
			}
			return writeCollisions(out, all.GetCollisions())
		}),
	}
}

func personMerge() *cobra.Command {
	c := &cobra.Command{
		Use:   "merge INTO FROM --reason TEXT",
		Short: "Make two persons one; the first stays",
		Long: `Makes two persons one. FROM is found under INTO from then on, with all that is known
of both. Where both have an owner in sales, INTO's stays; where only FROM has one, they
come along. Shows the person as they stand afterwards.`,
		Example: `  baton person merge pjx4… p7mq… --reason "same person, new employer"`,
		Args:    exactly("INTO", "FROM"),
	}
	reason := reasonFlag(c)
	c.RunE = reasoned(reason, func(c *call) error {
		_, err := personv1.NewPersonServiceClient(c.conn).MergePersons(c.ctx, &personv1.MergePersonsRequest{IntoId: c.args[0], FromId: c.args[1], Reason: *reason})
		if err != nil {
			return err
		}
		return c.person(c.args[0])
	})
	return c
}

func personUnmerge() *cobra.Command {
	c := &cobra.Command{
		Use:   "unmerge FROM --reason TEXT",
		Short: "Take a merge back: both are as they were",
		Long: `Takes a merge back. FROM is the one who was merged; both have again the leads that
are theirs and the owner whom they had. Shows FROM as they stand afterwards.`,
		Example: `  baton person unmerge p7mq… --reason "father and son"`,
		Args:    exactly("FROM"),
	}
	reason := reasonFlag(c)
	c.RunE = reasoned(reason, func(c *call) error {
		_, err := personv1.NewPersonServiceClient(c.conn).UnmergePersons(c.ctx, &personv1.UnmergePersonsRequest{FromId: c.args[0], Reason: *reason})
		if err != nil {
			return err
		}
		return c.person(c.args[0])
	})
	return c
}

func reasonFlag(c *cobra.Command) *string { return c.Flags().String("reason", "", "why") }

// reasoned refuses a command without a reason.
func reasoned(reason *string, do func(*call) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(*reason) == "" {
			return misused(cmd, "say with --reason why")
		}
		return client(do)(cmd, args)
	}
}

func personDismiss() *cobra.Command {
	c := &cobra.Command{
		Use:     "dismiss ID OTHER",
		Short:   "Say that two persons who are alike are two",
		Long:    `Says that two persons who are alike are two. They are not suggested again.`,
		Example: `  baton person dismiss pjx4… p7mq… --reason "father and son"`,
		Args:    exactly("ID", "OTHER"),
	}
	reason := reasonFlag(c)
	c.RunE = client(func(c *call) error {
		said, err := personv1.NewPersonServiceClient(c.conn).DismissMatch(c.ctx, &personv1.DismissMatchRequest{PersonId: c.args[0], OtherId: c.args[1], Reason: *reason})
		if err != nil {
			return err
		}
		if c.format == formatJSON {
			return writeMessage(c.cmd.OutOrStdout(), said)
		}
		_, err = fmt.Fprintln(c.cmd.OutOrStdout(), "They are two, and are not suggested again.")
		return err
	})
	return c
}

// fieldsOfLikeness are the fields by which persons are compared.
var fieldsOfLikeness = []string{"first_name", "last_name", "name", "company", "email", "phone"}

func personDedupe() *cobra.Command {
	c := &cobra.Command{
		Use:   "dedupe FILE --map FIELD=COLUMN[,…]",
		Short: "Try on a file how well duplicates are found; writes nothing",
		Long: `Runs the rows of a CSV file through the comparison that submissions go through, one
after the other, and counts the pairs of rows that would be one person. It writes
nothing and needs no running system.

Fields: ` + strings.Join(fieldsOfLikeness, ", ") + `.

With --truth it says how good that is. The column names the person of a row; where
that is only part of what it holds, an expression behind "=" says which:
--truth 'id=^rec-([0-9]+)-'. Precision is how many of the found pairs are one person in
truth, recall how many of the true pairs were found.`,
		Example: `  baton person dedupe people.csv --map name=Name,company=Firm,email=Mail --truth person`,
		Args:    exactly("FILE"),
	}
	flags := c.Flags()
	columns := flags.StringSlice("map", nil, "which column holds which field: FIELD=COLUMN, separated by commas")
	truth := flags.String("truth", "", "column that names the person, and =EXPRESSION for which part of it")
	region := flags.String("region", "", "region of telephone numbers without a country code, such as DE")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		d := dedupeOptions{columns: map[string]string{}, region: *region}
		for _, word := range *columns {
			field, column, ok := strings.Cut(word, "=")
			if !ok || !slices.Contains(fieldsOfLikeness, field) {
				return misused(cmd, "--map has %q; write FIELD=COLUMN, where FIELD is one of %s", word, strings.Join(fieldsOfLikeness, ", "))
			}
			d.columns[field] = column
		}
		if len(d.columns) == 0 {
			return misused(cmd, "say with --map which column holds which field")
		}
		var expression string
		if d.truth, expression, _ = strings.Cut(*truth, "="); expression != "" {
			if d.part, err = regexp.Compile(expression); err != nil || d.part.NumSubexp() < 1 {
				return misused(cmd, "--truth has %q; it must be a regular expression with one group", expression)
			}
		}
		f, err := os.Open(args[0])
		if err != nil {
			return fault.New(fault.NotFound, "the file cannot be read: %w", err)
		}
		defer f.Close()
		records, err := d.read(f)
		if err != nil {
			return err
		}
		return writeDedupe(cmd.OutOrStdout(), intake.FindDuplicates(records, nil), d.truth != "", format)
	}
	return c
}

type dedupeOptions struct {
	columns map[string]string
	truth   string
	part    *regexp.Regexp
	region  string
}

// read reads the rows of a CSV file as records to compare.
func (d *dedupeOptions) read(in io.Reader) ([]intake.Candidate, error) {
	rows := csv.NewReader(bufio.NewReader(in))
	rows.TrimLeadingSpace = true
	head, err := rows.Read()
	if err != nil {
		return nil, fault.New(fault.Invalid, "the first line must name the columns: %w", err)
	}
	at := func(column string) (int, error) {
		i := slices.IndexFunc(head, func(name string) bool { return strings.TrimSpace(name) == column })
		if i < 0 {
			return 0, fault.New(fault.Invalid, "the file has no column %q; it has %s", column, strings.Join(head, ", "))
		}
		return i, nil
	}
	truth := -1
	if d.truth != "" {
		if truth, err = at(d.truth); err != nil {
			return nil, err
		}
	}
	places := map[string]int{}
	for field, column := range d.columns {
		if places[field], err = at(column); err != nil {
			return nil, err
		}
	}
	var out []intake.Candidate
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fault.New(fault.Invalid, "the file cannot be read as CSV: %w", err)
		}
		cellOf := func(field string) string {
			if i, ok := places[field]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		c := intake.Candidate{Region: d.region, Personal: &leadv1.PersonalData{
			FirstName: cellOf("first_name"), LastName: cellOf("last_name"), Name: cellOf("name"), Company: cellOf("company"), Email: cellOf("email"), Phone: cellOf("phone"),
		}}
		if truth >= 0 {
			c.Truth = row[truth]
			if d.part != nil {
				c.Truth = ""
				if found := d.part.FindStringSubmatch(row[truth]); found != nil {
					c.Truth = found[1]
				}
			}
		}
		out = append(out, c)
	}
}

func writeDedupe(w io.Writer, d *intake.Dedupe, known bool, format string) error {
	rules := []struct {
		key, name string
		pairs     intake.Pairs
	}{{"exact", "by address or number", d.Exact}, {"joined", "joined by themselves", d.Joined}, {"suggested", "suggested", d.Suggested}}
	if format == formatJSON {
		out := map[string]any{"records": d.Records, "persons": d.Persons, "join_at": intake.JoinAt, "suggest_at": intake.SuggestAt}
		if known {
			out["true_pairs"] = d.TruePairs
		}
		for _, r := range rules {
			figures := map[string]any{"pairs": r.pairs.Found}
			if known {
				figures["true"], figures["precision"], figures["recall"] = r.pairs.True, float64(r.pairs.Precision())/1000, float64(d.Recall(r.pairs))/1000
			}
			out[r.key] = figures
		}
		return writeJSON(w, out)
	}
	fmt.Fprintf(w, "%s would be %s.", counted(int64(d.Records), "row", "rows"), counted(int64(d.Persons), "person", "persons"))
	if known {
		fmt.Fprintf(w, " In truth %s are one person.", counted(int64(d.TruePairs), "pair", "pairs"))
	}
	fmt.Fprintf(w, "\nJoined from %d %% on, suggested from %d %% on.\n\n", intake.JoinAt, intake.SuggestAt)
	t := table{head: []string{"PAIRS", "FOUND"}}
	if known {
		t.head = append(t.head, "TRUE", "PRECISION", "RECALL")
	}
	for _, r := range rules {
		row := []string{r.name, grouped(int64(r.pairs.Found))}
		if known {
			row = append(row, grouped(int64(r.pairs.True)), share(r.pairs.Precision()), share(d.Recall(r.pairs)))
		}
		t.add(row...)
	}
	return t.write(w)
}

// share is thousandths as a share of one.
func share(thousandths int) string { return fmt.Sprintf("%d.%03d", thousandths/1000, thousandths%1000) }
