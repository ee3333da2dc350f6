package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	// liveAtOnce is how many new leads are under way together: they share the
	// door's syncs.
	liveAtOnce = 64
	// mostRows is the most rows that one call carries.
	mostRows = 500
	// mostBytesAtOnce keeps a call inside what a server takes.
	mostBytesAtOnce = 1 << 20
)

func importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "import FILE --source SOURCE",
		GroupID: groupWork,
		Short:   "Take leads, or what became of them, from a CSV or NDJSON file",
		Long: `Takes the rows of a file of any size: CSV (first line with the names of the columns,
separated by commas, semicolons, tabs or bars) or NDJSON (one object a line), packed
with gzip or not, in UTF-8, UTF-16, or an encoding that the map names.

  --kind leads       new leads: they are qualified and handed out like any other.
                     With --history they are facts of the past: leads with their own
                     dates, owners and outcomes. Nobody is notified of them and
                     nothing is routed.
  --kind outcomes    what became of leads, by the source's own ids of them. An outcome
                     that comes before its lead waits for it (baton feedback waiting).
  --kind owners      who had a lead of the past, and from when: its changes of owner.
                     The rows of one lead come in the order of time.
  --kind activities  touches: what passed between the company and a lead or person.
  --kind people      people of the company. Their tokens go to FILE.tokens.csv (0600).
                     team, manager, office, from: where they work, and since when.
  --kind accounts    companies by domain, or by name alone: owner, segment, industry,
                     size, country (baton account list).

--known FIELD=FILE holds a field of each row against a list, as product=products.csv:
rows in which it is empty or not in the list go in, are counted, and are listed in
FILE.warnings.csv (0600). The list's column has the name of the field, or of the
column that holds the field in FILE.

--dry-run says what would become of the rows before anything is done: how many would
be Lead and MQL by the agreement in force, how many are duplicates, tests or spam.

To import a file again is harmless: a row is named by its external_id, or where it
has none by all it holds, and is one lead for ever.

Columns named email, phone, company, … are found by themselves. A map (--map) says
what the others are; docs/import-map.example.yaml is one with comments:

  encoding: windows-1252
  zone: Europe/Berlin
  columns:
    external_id: Opportunity ID
    company: Account
    received_at: {column: Created, format: DD.MM.YYYY}
    outcome: {column: Stage, map: {Won: won, Lost: lost, Open: open}}
    closed_at: {column: Closed, format: DD.MM.YYYY}
    value: {column: Amount, currency: EUR, decimal: ","}
    owner: Agent

Fields of leads: ` + wrapped(historyKind.all(), len("Fields of leads: ")) + `.
The other kinds have fields of their own: docs/import.md lists them.
Dates without a declared format must be ISO (2026-04-03); 03/04/2026 is refused,
because it can be 3 April or 4 March. Names of members are written as handles:
"Ana Lima" becomes ana.lima.

Rows that cannot be taken stay out and are written to FILE.rejects.csv (mode 0600),
each with its line, column and reason; the rest goes in. The status is 0 when rows
went in, even if others were rejected, and 1 when none went in or it had to stop.`,
		Example: `  baton import leads.csv --source web --dry-run
  baton import leads.csv --source web
  baton import deals-2025.csv.gz --source crm --map deals.yaml --history
  baton import outcomes.ndjson --source crm --kind outcomes`,
		Args: exactly("FILE"),
	}
	o := importOptions{}
	flags := c.Flags()
	flags.StringVar(&o.source, "source", "", "source that the rows belong to, as baton source list shows it")
	flags.StringVar(&o.mapPath, "map", "", "file that says which column holds which field")
	kindName := flags.String("kind", kindLeads, "what the rows are: "+strings.Join(kindNames(), ", "))
	history := flags.Bool("history", false, "leads of the past: keep the file's own times, route nothing")
	flags.StringArrayVar(&o.known, "known", nil, "FIELD=FILE: warn of rows whose field is empty or not in the file (may be given again)")
	flags.BoolVar(&o.dry, "dry-run", false, "say what would become of the rows, and do nothing")
	flags.StringVar(&o.formatIn, "format-in", "", "csv or ndjson (default by the file's name or content)")
	flags.IntVar(&o.batch, "batch", 0, "rows under way at once, at most 500 (default 64; of the past as many as the system answers in good time)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o.path = args[0]
		var known bool
		o.kind, known = kindOf(*kindName, *history)
		switch {
		case !known && *history:
			return misused(cmd, "--history is for leads alone; the other kinds have times of their own")
		case !known:
			return misused(cmd, "--kind is %q; it can be %s", *kindName, strings.Join(kindNames(), ", "))
		case o.source == "" && o.kind.source:
			return misused(cmd, "say with --source where the rows come from, as baton source list shows it")
		case o.source != "" && !o.kind.source:
			return misused(cmd, "--kind %s belongs to no source; leave --source out", o.kind.name)
		case o.batch < 0 || o.batch > mostRows:
			return misused(cmd, "--batch is %d; it can be 1 to %d", o.batch, mostRows)
		case o.formatIn != "" && o.formatIn != fileCSV && o.formatIn != fileNDJSON:
			return misused(cmd, "--format-in is %q; it can be %s or %s", o.formatIn, fileCSV, fileNDJSON)
		}
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		c := &call{ctx: contextOf(cmd), cmd: cmd, format: format, args: args}
		conn, server, err := dial(cmd)
		switch {
		case err == nil:
			defer func() { _ = conn.Close() }()
			c.conn, c.server = conn, server
		case !o.dry || !fault.Is(err, fault.Unauthenticated):
			return err
		}
		return runImport(c, o)
	}
	return c
}

// wrapped lists words on lines that fit a help page; so much stands on the
// first line already.
func wrapped(words []string, width int) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(',')
			if width+len(w) > 80 {
				b.WriteString("\n  ")
				width = 2
			} else {
				b.WriteByte(' ')
			}
		}
		b.WriteString(w)
		width += len(w) + 2
	}
	return b.String()
}

type importOptions struct {
	path, source, mapPath, formatIn string
	kind                            kind
	known                           []string // as FIELD=FILE
	dry                             bool
	batch                           int
}

// tally counts rows; each is in exactly one of its numbers.
type importTally struct {
	Rows     int64 `json:"rows"`
	Accepted int64 `json:"accepted"`
	New      int64 `json:"new"`
	There    int64 `json:"already_there"`
	// Waiting were accepted and wait for their leads.
	Waiting int64 `json:"waiting"`
	// Unsure were accepted by a system that does not say whether they are new.
	Unsure   int64 `json:"not_known_whether_new"`
	Rejected int64 `json:"rejected"`
	// Unsent were read and not answered when the import had to stop.
	Unsent int64 `json:"not_sent"`
	// Repaired stood in one cell as a whole and were taken apart. They are in one
	// of the other numbers too.
	Repaired int64 `json:"repaired"`
	// ReadAs is how the file was read.
	ReadAs string `json:"read_as"`
	// Warnings count what is amiss in rows that were accepted all the same.
	Warnings []warned `json:"warnings,omitempty"`
	DryRun   bool     `json:"dry_run"`
	Preview  *preview `json:"preview,omitempty"`
	Rejects  string   `json:"rejects_file,omitempty"`
	Warns    string   `json:"warnings_file,omitempty"`
	Tokens   string   `json:"tokens_file,omitempty"`
}

func (t *importTally) String() string {
	s := ""
	if t.Repaired > 0 {
		s = fmt.Sprintf("; %s repaired that stood in one cell", counted(t.Repaired, "row was", "rows were"))
	}
	if t.DryRun {
		return fmt.Sprintf("%s: %s can be accepted, %s rejected; nothing was sent", counted(t.Rows, "row", "rows"), grouped(t.Accepted), grouped(t.Rejected)) + s
	}
	kinds := grouped(t.New) + " new, " + grouped(t.There) + " already there"
	if t.Unsure > 0 && t.Unsure == t.Accepted {
		kinds = "new or already there"
	}
	if t.Waiting > 0 {
		kinds += ", " + grouped(t.Waiting) + " waiting for their leads"
	}
	if t.Unsure > 0 && t.Unsure < t.Accepted {
		kinds += ", " + grouped(t.Unsure) + " new or already there"
	}
	said := fmt.Sprintf("%s: %s accepted (%s), %s rejected", counted(t.Rows, "row", "rows"), grouped(t.Accepted), kinds, grouped(t.Rejected))
	if t.Unsent > 0 {
		said += fmt.Sprintf(", %s not sent", grouped(t.Unsent))
	}
	return said + s
}

// importer takes one file in.
type importer struct {
	importOptions
	ctx     context.Context
	system  *systemClients // nil = none is asked
	file    *inputFile
	mapping *mapping
	rules   intake.Vocabulary
	rejects *rowFile
	warns   *rowFile
	// known are the lists that rows are held against.
	known []*knownList
	// people are those who can own an account; nil = nobody was asked.
	people map[string]bool
	tokens *tokenFile
	bar    *progressBar
	tally  importTally
	// first is why the first rejected row stayed out.
	first string
	// seen holds the names of the rows of this import.
	seen *seenKeys
	// pace is how many rows one call carries.
	pace pace
	// stream is the door's stream of new leads; single says that it has none.
	stream *submitStream
	single bool
	// trial takes the leads that rows would open; nil = an agreement is not tried.
	trial *fileTrial
	// pause waits between two attempts.
	pause func(context.Context, time.Duration) error

	waiting []waiting
	bytes   int
}

// waiting is a row that is ready to be sent, or refused already: rejects keep
// the order of the file.
type waiting struct {
	rec *record
	no  *refusal
	// name of the row within the file; empty = rows have none.
	name string
	// external is the source's own id of the lead that the row is about.
	external string
	message  proto.Message
	// place is where a person of the company works; nil where the row does not say.
	place *routingv1.PlaceMemberRequest
	// doubts are what is amiss in it, though it can be taken.
	doubts []warning
}

func runImport(c *call, o importOptions) error {
	im, said, err := openImport(c, o)
	if err != nil {
		return err
	}
	defer im.file.close()
	if c.conn != nil {
		im.system = newSystemClients(c)
		err = im.connect()
	}
	switch {
	case o.dry && (c.conn == nil || fault.Is(err, fault.Unavailable)):
		im.system = nil
		fmt.Fprintln(said, "baton: no system could be asked, so only the file is looked at; with one (baton up) it is said what would become of the rows")
	case err != nil:
		return err
	}
	if o.dry && im.system != nil {
		im.tally.Preview = &preview{}
	}
	im.readAs(said)
	return im.finish(c, im.run())
}

// openImport opens the file and fits the map to it; notes go to said.
func openImport(c *call, o importOptions) (im *importer, said io.Writer, err error) {
	wanted := &mapFile{}
	if o.mapPath != "" {
		if wanted, err = readMap(o.mapPath); err != nil {
			return nil, nil, err
		}
	}
	file, err := openInput(o.path, o.formatIn, wanted)
	if err != nil {
		return nil, nil, err
	}
	header := file.rows.columns()
	mapping, err := wanted.fit(header, o.kind)
	if err != nil {
		file.close()
		return nil, nil, err
	}
	notes := c.cmd.ErrOrStderr()
	if said = notes; c.format == formatJSON {
		said = io.Discard
	}
	im = &importer{
		importOptions: o, ctx: c.ctx, file: file, mapping: mapping, bar: newProgressBar(notes, file.size),
		rejects: &rowFile{path: o.path + ".rejects.csv", rows: "rejected", header: header},
		warns:   &rowFile{path: o.path + ".warnings.csv", rows: "doubtful", header: header}, tokens: &tokenFile{path: o.path + ".tokens.csv"},
		tally: importTally{DryRun: o.dry, ReadAs: file.how}, seen: newSeenKeys(), pace: newPace(o.batch), pause: pause,
	}
	if _, json := file.rows.(*jsonRecords); json {
		im.rejects.header, im.warns.header = []string{"row"}, []string{"row"}
	}
	for _, list := range o.known {
		known, err := readKnown(list, mapping)
		if err != nil {
			file.close()
			return nil, nil, err
		}
		im.known = append(im.known, known)
	}
	return im, said, nil
}

// readAs says how the file is read.
func (im *importer) readAs(said io.Writer) {
	fmt.Fprintf(said, "baton: %s is read as %s; %s\n", cell(filepath.Base(im.path)), im.file.how, counted(int64(len(im.file.rows.columns())), "column", "columns"))
}

// connect looks at the system before the first row goes in.
func (im *importer) connect() error {
	if _, owned := im.mapping.own[fieldOwner]; owned && im.kind.name == kindAccounts {
		return im.askPeople()
	}
	if !im.kind.source {
		return nil
	}
	list, err := im.system.intake.ListSources(im.ctx, &intakev1.ListSourcesRequest{})
	if err != nil {
		return err
	}
	var names []string
	for _, s := range list.GetSources() {
		names = append(names, s.GetName())
	}
	if !slices.Contains(names, im.source) {
		return fault.New(fault.NotFound, "there is no source %q; there is %s", im.source, quotedList(names))
	}
	if im.kind.person {
		a, err := im.system.agreements.GetAgreement(im.ctx, &agreementv1.GetAgreementRequest{})
		switch {
		case fault.Is(err, fault.NotFound), fault.Is(err, fault.State):
			// No agreement is in force, so there are no agreed words yet.
		case err != nil:
			return err
		default:
			if compiled, err := agreement.Restore(a.GetDocument()); err == nil {
				im.rules = compiled
			}
		}
	}
	if im.kind.name == kindHistory {
		return nil
	}
	return im.settled()
}

// settlesWithin is how long an import waits for deliveries that are kept but
// not worked yet: until they are, their leads are not known.
const settlesWithin = 10 * time.Second

// settled waits until what came before is worked: only then is it known which
// leads are here.
func (im *importer) settled() error {
	const step = 200 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		s, err := im.system.reports.GetStatus(im.ctx, &feedbackv1.GetStatusRequest{})
		if fault.Is(err, fault.State) {
			return nil // this process does not serve it
		}
		if err != nil {
			return err
		}
		if s.GetReadOnly() != "" && !im.dry {
			return fault.New(fault.State, "the system takes nothing new: %s", s.GetReadOnly())
		}
		if s.GetIntakePending() == 0 || waited >= settlesWithin {
			return nil
		}
		if err := im.pause(im.ctx, step); err != nil {
			return err
		}
	}
}

func (im *importer) run() error {
	for {
		rec, err := im.file.rows.next()
		if errors.Is(err, io.EOF) {
			return im.flush()
		}
		if err != nil {
			return err
		}
		if err := im.ctx.Err(); err != nil {
			return err
		}
		im.tally.Rows++
		if err := im.take(rec); err != nil {
			return err
		}
		im.bar.show(im.file.count.done, im.tally.Rows)
	}
}

// take makes a row ready to be sent, or sets it aside.
func (im *importer) take(rec *record) error {
	if rec.repaired {
		im.tally.Repaired++
	}
	w := im.ready(rec)
	if im.dry && im.system == nil {
		if w.no != nil {
			return im.reject(rec, w.no)
		}
		im.tally.Accepted++
		return im.warn(&w)
	}
	im.waiting = append(im.waiting, w)
	if w.no == nil {
		im.bytes += proto.Size(w.message) + len(rec.raw)
	}
	if len(im.waiting) >= im.atOnce() || im.bytes >= mostBytesAtOnce {
		return im.flush()
	}
	return nil
}

// atOnce is how many rows are made ready before they are sent.
func (im *importer) atOnce() int {
	switch {
	case im.dry:
		return mostRows
	case im.batch > 0:
		return im.batch
	case im.kind.name == kindLeads, im.kind.name == kindActivities:
		return liveAtOnce
	}
	return mostRows
}

// ready makes a row into what is sent.
func (im *importer) ready(rec *record) waiting {
	w := waiting{rec: rec}
	switch im.kind.name {
	case kindLeads:
		if req, no := im.mapping.live(im.source, rec, im.rules); no != nil {
			w.no = no
		} else {
			w.message, w.name, w.external = req, req.GetIdempotencyKey(), req.GetIdempotencyKey()
		}
	case kindHistory:
		if row, no := im.mapping.past(rec, im.rules); no != nil {
			w.no = no
		} else {
			w.message, w.name, w.external = row, row.GetSubmission().GetExternalId(), row.GetSubmission().GetExternalId()
		}
	case kindOutcomes:
		if row, external, no := im.mapping.outcome(rec); no != nil {
			w.no = no
		} else {
			w.message, w.name, w.external = row, external+"\x00"+row.GetKey(), external
		}
	case kindOwners:
		if row, external, no := im.mapping.ownerAt(rec); no != nil {
			w.no = no
		} else {
			w.message, w.name, w.external = row, external+"\x00"+row.GetKey(), external
		}
	case kindActivities:
		if req, external, no := im.mapping.activity(im.source, rec); no != nil {
			w.no = no
		} else {
			w.message, w.name, w.external = req, req.GetTouch().GetExternalId(), external
		}
	case kindPeople:
		if req, no := im.mapping.member(rec); no != nil {
			w.no = no
		} else if place, no := im.mapping.place(rec); no != nil {
			w.no = no
		} else {
			w.message, w.name, w.place = req, req.GetMember(), place
		}
	default:
		if row, left, no := im.mapping.account(rec); no != nil {
			w.no = no
		} else {
			w.message, w.doubts = row, append(left, im.unowned(row)...)
		}
	}
	if w.no == nil {
		for _, known := range im.known {
			if doubt := known.doubt(rec); doubt != nil {
				w.doubts = append(w.doubts, *doubt)
			}
		}
	}
	return w
}

func (im *importer) reject(rec *record, no *refusal) error {
	im.tally.Rejected++
	if im.first == "" {
		im.first = fmt.Sprintf("line %d", rec.line)
		if no.column != "" {
			im.first += ", column " + no.column
		}
		im.first += ": " + no.reason
	}
	return im.rejects.add(rec, no)
}

// flush sends what is ready.
func (im *importer) flush() error {
	rows := im.waiting
	im.waiting, im.bytes = nil, 0
	if len(rows) == 0 {
		return nil
	}
	answers := make([]answer, len(rows))
	for i, w := range rows {
		answers[i].no = w.no
	}
	var err error
	if im.dry {
		err = im.foresee(rows, answers)
	} else {
		err = im.send(rows, answers)
	}
	for i, a := range answers {
		switch {
		case a.no != nil:
			err = errors.Join(err, im.reject(rows[i].rec, a.no))
		case a.fate == fateUnsent:
		default:
			im.tally.Accepted++
			err = errors.Join(err, im.warn(&rows[i]))
			switch im.again(&rows[i], a) {
			case fateForeseen:
			case fateNew:
				im.tally.New++
			case fateThere:
				im.tally.There++
			case fateWaiting:
				im.tally.Waiting++
			default:
				im.tally.Unsure++
			}
		}
	}
	return err
}

// answer is what became of a row.
type answer struct {
	fate fate
	no   *refusal
}

// fate says whether a row opened a lead.
type fate int

const (
	fateUnsent fate = iota
	fateNew
	fateThere
	fateWaiting
	fateUnsure
	// fateForeseen is that of a row that only was asked about.
	fateForeseen
)

// again finds rows that open the same lead twice within one file: the system
// answers for what it had before.
func (im *importer) again(w *waiting, a answer) fate {
	if a.fate == fateNew && im.kind.name == kindLeads && im.seen.add(w.name) {
		return fateThere
	}
	return a.fate
}

// pause waits, unless the import is stopped.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// finish closes what is open and says what became of the rows.
func (im *importer) finish(c *call, err error) error {
	im.bar.clear()
	im.stream.close()
	written, closeErr := im.rejects.close()
	warned, warnsErr := im.warns.close()
	if warned && warnsErr == nil {
		im.tally.Warns = im.warns.path
	}
	tokens, tokensErr := im.tokens.close()
	if tokens && tokensErr == nil {
		im.tally.Tokens = im.tokens.path
	}
	err = errors.Join(err, closeErr, warnsErr, tokensErr)
	if written && closeErr == nil {
		im.tally.Rejects = im.rejects.path
	}
	im.tally.Unsent = im.tally.Rows - im.tally.Accepted - im.tally.Rejected
	out, notes := c.cmd.OutOrStdout(), c.cmd.ErrOrStderr()
	if c.format == formatJSON {
		if err := writeJSON(out, &im.tally); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(out, im.tally.String())
		if err := im.tally.Preview.write(out, im.kind); err != nil {
			return err
		}
		if im.tally.Warns != "" {
			fmt.Fprintf(notes, "baton: %s; these rows went in, and %s lists them with their reasons\n", warnedText(im.tally.Warnings), im.tally.Warns)
		}
		if im.tally.Tokens != "" {
			fmt.Fprintf(notes, "baton: the tokens are in %s; hand each to its owner and delete the file\n", im.tally.Tokens)
		}
	}
	if err != nil {
		return fault.New(fault.Of(err), "the import stopped after %s: %w; import the file again when that is mended, which is harmless", counted(im.tally.Rows, "row", "rows"), err)
	}
	if im.tally.Rejected == 0 {
		return nil
	}
	if im.tally.Accepted == 0 {
		return fault.New(fault.Invalid, "no row could be taken; the first is %s; %s has them all with their reasons", im.first, im.tally.Rejects)
	}
	fmt.Fprintf(notes, "baton: %s rejected; the first is %s; %s has them all with their reasons\n",
		counted(im.tally.Rejected, "row was", "rows were"), cell(im.first), im.tally.Rejects)
	return nil
}
