package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/qualification"
)

// showsOfTrial is how many leads that change are shown where nothing else is said.
const showsOfTrial = 3

func agreementTry() *cobra.Command {
	c := &cobra.Command{
		Use:   "try --agreement NEW [FILE]",
		Short: "See what a new document would change, before anybody signs it",
		Long: `Decides leads of the past again: by the new document, and by the agreement in force.
It says how many would stand elsewhere, in both directions, what makes them change,
which facts would be missing, and shows some of them to look at. Nothing is recorded
and no lead moves.

Without FILE: the leads in the log that were received in the last 30 days, or from
--from and before --to. Each is decided by what was known when it was first decided,
and again by each call about it, with what was known then. A lead that no agreement
has decided yet is decided by what is known now.

With FILE: the rows of a file of leads, read as baton import reads it. Rows that stand
in it twice, tests and spam are left out.

What only the new document asks for was not recorded of past leads, and is unknown.`,
		Example: `  baton agreement try --agreement new.yaml
  baton agreement try --agreement new.yaml --from 2026-01-01 --to 2026-04-01 --sample 20
  baton agreement try --agreement new.yaml webinar.csv --source web
  baton agreement try --agreement new.yaml --format json`,
		Args: between(0, "FILE"),
	}
	flags := c.Flags()
	path := flags.String("agreement", "", "file with the new document")
	flags.String("from", "", "leads received from then on (default 30 days before --to)")
	flags.String("to", "", "leads received before then (default now)")
	sample := flags.Int32("sample", showsOfTrial, "how many leads that change are shown, at most 500")
	source := flags.String("source", "web", "source that the rows of FILE belong to")
	mapPath := flags.String("map", "", "file that says which column of FILE holds which field")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *path == "":
			return misused(cmd, "say with --agreement which file holds the new document")
		case *sample < 0 || *sample > 500:
			return misused(cmd, "--sample is %d; it can be 0 to 500", *sample)
		case len(args) > 0 && (flags.Changed("from") || flags.Changed("to")):
			return misused(cmd, "--from and --to choose leads of the log; with FILE all its rows are tried")
		case len(args) == 0 && (flags.Changed("source") || flags.Changed("map")):
			return misused(cmd, "--source and --map say how FILE is read; there is none")
		}
		from, err := instantFlag(cmd, "from")
		if err != nil {
			return err
		}
		to, err := instantFlag(cmd, "to")
		if err != nil {
			return err
		}
		return client(func(c *call) error {
			compiled, document, err := compileFile(c.cmd, *path, c.format)
			if err != nil {
				return err
			}
			var t *qualificationv1.Trial
			if len(c.args) > 0 {
				t, err = tryFile(c, compiled, importOptions{path: c.args[0], source: *source, mapPath: *mapPath, dry: true}, int(*sample))
			} else {
				t, err = tryLog(c, &qualificationv1.TryRequest{Document: document, From: from, To: to, Sample: *sample})
			}
			if err != nil {
				return err
			}
			if c.format == formatJSON {
				return writeMessage(c.cmd.OutOrStdout(), t)
			}
			return writeTrial(c.cmd.OutOrStdout(), t, filepath.Base(*path))
		})(cmd, args)
	}
	return c
}

// tryLog tries a document on leads of the log.
func tryLog(c *call, req *qualificationv1.TryRequest) (*qualificationv1.Trial, error) {
	stream, err := qualificationv1.NewQualificationServiceClient(c.conn).Try(c.ctx, req)
	if err != nil {
		return nil, answered(err, c.server)
	}
	notes := c.cmd.ErrOrStderr()
	shown := false
	defer func() {
		if shown {
			fmt.Fprint(notes, "\r\x1b[K")
		}
	}()
	for {
		said, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Unavailable, "%s ended without a result; try again", c.server)
		}
		if err != nil {
			return nil, answered(err, c.server)
		}
		if said.GetResult() != nil {
			return said.GetResult(), nil
		}
		if isTerminal(notes) {
			shown = true
			fmt.Fprintf(notes, "\r\x1b[Kread %s of %s entries of the log", grouped(int64(said.GetEntriesRead())), grouped(int64(said.GetEntries())))
		}
	}
}

// fileTrial tries an agreement on the rows of a file.
type fileTrial struct {
	*qualification.Trial
	now time.Time
}

// take tries the leads that rows would open.
func (t *fileTrial) take(rows []waiting, places []int, checked []*intakev1.CheckedSubmission) {
	for n, r := range checked {
		switch r.GetOutcome() {
		case "test", "spam":
			t.Refused()
			continue
		}
		t.Take(&qualification.Past{
			ID:    "line " + strconv.FormatInt(rows[places[n]].rec.line, 10),
			Known: qualification.Known{Features: r.GetFeatures(), At: t.now},
		})
	}
}

// tryFile tries a document on a file of leads. The system says what it would record
// of each row; the decisions are made here.
func tryFile(c *call, then *agreement.Agreement, o importOptions, sample int) (*qualificationv1.Trial, error) {
	began := time.Now()
	o.kind, _ = kindOf(kindLeads, false)
	im, said, err := openImport(c, o)
	if err != nil {
		return nil, err
	}
	defer im.file.close()
	im.system = newSystemClients(c)
	if err := im.connect(); err != nil {
		return nil, err
	}
	var now *agreement.Agreement
	inForce, err := im.system.agreements.GetAgreement(c.ctx, &agreementv1.GetAgreementRequest{})
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return nil, err
	default:
		if now, err = agreement.Restore(inForce.GetDocument()); err != nil {
			return nil, fault.New(fault.State, "this version of Baton does not understand version %d of the agreement, which is in force", inForce.GetVersion())
		}
	}
	t := &fileTrial{Trial: qualification.NewTrial(now, inForce.GetVersion(), then, sample), now: began}
	if st, err := im.system.reports.GetStatus(c.ctx, &feedbackv1.GetStatusRequest{}); err == nil && st.GetNow() != nil {
		t.now = st.GetNow().AsTime()
	}
	im.trial, im.tally.Preview = t, &preview{}
	im.readAs(said)
	err = im.run()
	im.bar.clear()
	written, closeErr := im.rejects.close()
	if err = errors.Join(err, closeErr); err != nil {
		return nil, err
	}
	if im.tally.Preview.InFile > 0 {
		fmt.Fprintf(said, "baton: %s in the file twice and left out once\n", counted(im.tally.Preview.InFile, "row stands", "rows stand"))
	}
	if written {
		fmt.Fprintf(said, "baton: %s left out; %s has them with their reasons\n", counted(im.tally.Rejected, "row that cannot be read was", "rows that cannot be read were"), im.rejects.path)
	}
	out := t.Result()
	out.TookMs = time.Since(began).Milliseconds()
	return out, nil
}

// writeTrial says what a new document would change.
func writeTrial(w io.Writer, t *qualificationv1.Trial, name string) error {
	beside := "version " + strconv.FormatInt(t.GetAgreementVersion(), 10) + ", which is in force"
	if t.GetAgreementVersion() == 0 {
		beside = "no agreement, since none is in force"
	}
	which := "the leads of the file"
	if t.GetFrom() != nil {
		which = fmt.Sprintf("leads received from %s until before %s", stamp(t.GetFrom()), stamp(t.GetTo()))
	}
	fmt.Fprintf(w, "%s beside %s, on %s.\n\n", cell(name), beside, which)
	if err := trialFacts(t).write(w); err != nil {
		return err
	}
	if t.GetTried() == 0 {
		_, err := fmt.Fprintln(w, "\nThere was no lead to try it on; choose another time with --from and --to, or give a FILE.")
		return err
	}
	fmt.Fprintln(w)
	if t.GetChanged() == 0 {
		fmt.Fprint(w, "No lead would stand elsewhere.\n\n")
	}
	moves := table{head: []string{"NOW", "THEN", "LEADS", ""}}
	for _, m := range t.GetMoves() {
		mark := ""
		if m.GetNow() != m.GetThen() {
			mark = "changes"
		}
		moves.add(standsText(m.GetNow()), standsText(m.GetThen()), grouped(m.GetLeads()), mark)
	}
	moves.add("TOTAL", "", grouped(t.GetTried()), "")
	if err := moves.write(w); err != nil {
		return err
	}
	if len(t.GetPurposes()) > 0 {
		purposes := table{head: []string{"PURPOSE NOW", "THEN", "LEADS"}}
		for _, m := range t.GetPurposes() {
			purposes.add(cmp.Or(m.GetNow(), "-"), cmp.Or(m.GetThen(), "-"), grouped(m.GetLeads()))
		}
		fmt.Fprintln(w)
		if err := purposes.write(w); err != nil {
			return err
		}
	}
	if len(t.GetCauses()) > 0 {
		causes := table{head: []string{"LEADS", "GO", "BECAUSE"}}
		for _, c := range t.GetCauses() {
			causes.add(grouped(c.GetLeads()), c.GetDirection(), c.GetText())
		}
		fmt.Fprintln(w)
		if err := causes.write(w); err != nil {
			return err
		}
		fmt.Fprintln(w, "A lead that changes for two causes counts in both.")
	}
	if len(t.GetMissing()) > 0 {
		missing := table{head: []string{"LEADS", "WOULD WAIT, BECAUSE NOBODY STATED"}}
		for _, m := range t.GetMissing() {
			missing.add(grouped(m.GetLeads()), m.GetFact())
		}
		fmt.Fprintln(w)
		if err := missing.write(w); err != nil {
			return err
		}
	}
	for i, l := range t.GetSample() {
		if i == 0 {
			fmt.Fprintf(w, "\n%s to look at:\n", counted(int64(len(t.GetSample())), "lead", "leads"))
		}
		if err := writeTried(w, l); err != nil {
			return err
		}
	}
	took := (time.Duration(t.GetTookMs()) * time.Millisecond).String()
	if t.GetEntries() > 0 {
		took += " to read " + counted(int64(t.GetEntries()), "entry", "entries") + " of the log and decide"
	}
	_, err := fmt.Fprintf(w, "\nIt took %s. Nothing was recorded.\n", took)
	return err
}

func trialFacts(t *qualificationv1.Trial) *facts {
	f := &facts{}
	count := func(name string, n int64) {
		if n > 0 {
			f.add(name, grouped(n))
		}
	}
	f.add("leads", grouped(t.GetLeads()))
	count("  refused at the door", t.GetRefused())
	count("  imported history", t.GetHistorical())
	f.add("  decided again", grouped(t.GetTried()))
	f.add("would stand elsewhere", grouped(t.GetChanged()))
	count("  higher", t.GetUp())
	count("  lower", t.GetDown())
	count("  wait instead of staying with marketing, or the other way round", t.GetAside())
	count("would become MQL or more", t.GetWouldBecomeMql())
	count("would no longer be MQL or more", t.GetWouldNoLongerBeMql())
	return f
}

// standsText says where a lead stands.
func standsText(where string) string {
	switch where {
	case "LEAD":
		return "LEAD (with marketing)"
	case "waiting":
		return "LEAD (waiting)"
	}
	return where
}

func writeTried(w io.Writer, l *qualificationv1.TriedLead) error {
	received := ""
	if l.GetReceivedAt() != nil {
		received = ", received " + stamp(l.GetReceivedAt())
	}
	fmt.Fprintf(w, "\n%s: %s now, %s then%s\n", cell(l.GetLeadId()), standsText(l.GetNow()), standsText(l.GetThen()), received)
	for _, cause := range l.GetCauses() {
		fmt.Fprintf(w, "  because %s\n", cell(cause))
	}
	fmt.Fprintf(w, "  now:  %s\n  then: %s\n", cell(l.GetWhyNow().GetSummary()), cell(l.GetWhyThen().GetSummary()))
	if len(l.GetWhyThen().GetCriteria()) == 0 {
		return nil
	}
	return criteriaTable(l.GetWhyThen()).write(indented{w})
}
