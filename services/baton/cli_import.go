package main

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	// liveAtOnce is how many new leads are under way together: they share the
	// door's syncs.
	liveAtOnce = 64
	// pastAtOnce is how many rows of the past one call carries, and the most it may.
	pastAtOnce = 500
	// mostBytesAtOnce keeps a call inside what a server takes.
	mostBytesAtOnce = 1 << 20
)

func importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "import FILE --source SOURCE",
		GroupID: groupWork,
		Short:   "Take leads, or what became of leads of the past, from a CSV file",
		Long: `Takes the rows of a CSV file (UTF-8, comma, semicolon or tab, first line with the
names of the columns) as new leads: they are qualified and handed out like any other.
With --history they are facts of the past: leads with their own dates, owners and
outcomes. Nobody is notified of them and nothing is routed.

To import a file again is harmless: a row is named by its external_id, or where it
has none by all it holds, and is one lead for ever.

Columns named email, phone, company, … are found by themselves. A map (--map) says
what the others are; docs/import-map.example.yaml is one with comments:

  columns:
    external_id: Opportunity ID
    company: Account
    received_at: {column: Created, format: DD.MM.YYYY}
    outcome: {column: Stage, map: {Won: won, Lost: lost, Open: open}}
    closed_at: {column: Closed, format: DD.MM.YYYY}
    value: {column: Amount, currency: EUR, decimal: ","}
    owner: Agent

Fields: ` + wrapped(everyField(), len("Fields: ")) + `.
History needs external_id and received_at. Dates without a declared format must be
ISO (2026-04-03); 03/04/2026 is refused, because it can be 3 April or 4 March.
Owners are written as handles: "Ana Lima" becomes ana.lima.

Rows that cannot be taken stay out and are written to FILE.rejects.csv (mode 0600),
each with its line, column and reason; the rest goes in. The status is 0 when rows
went in, even if others were rejected, and 1 when none went in or it had to stop.`,
		Example: `  baton import leads.csv --source web --dry-run
  baton import leads.csv --source web
  baton import deals-2025.csv --source crm --map deals.yaml --history`,
		Args: exactly("FILE"),
	}
	o := importOptions{}
	flags := c.Flags()
	flags.StringVar(&o.source, "source", "", "source that the rows belong to, as baton source list shows it")
	flags.StringVar(&o.mapPath, "map", "", "file that says which column holds which field")
	flags.BoolVar(&o.history, "history", false, "facts of the past: keep the file's own times, route nothing")
	flags.BoolVar(&o.dry, "dry-run", false, "read and check every row, send nothing; needs no running system")
	flags.IntVar(&o.batch, "batch", 0, "rows under way at once (default 64, with --history 500, the most)")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		o.path = args[0]
		switch {
		case o.source == "":
			return misused(cmd, "say with --source where the rows come from, as baton source list shows it")
		case o.batch < 0 || o.batch > pastAtOnce:
			return misused(cmd, "--batch is %d; it can be 1 to %d", o.batch, pastAtOnce)
		}
		if o.batch == 0 {
			o.batch = liveAtOnce
			if o.history {
				o.batch = pastAtOnce
			}
		}
		if o.dry {
			format, err := formatOf(cmd)
			if err != nil {
				return err
			}
			return runImport(&call{ctx: contextOf(cmd), cmd: cmd, format: format}, o)
		}
		return client(func(c *call) error { return runImport(c, o) })(cmd, args)
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
	path, source, mapPath string
	history, dry          bool
	batch                 int
}

// tally counts rows; each is in exactly one of its numbers.
type importTally struct {
	Rows     int64 `json:"rows"`
	Accepted int64 `json:"accepted"`
	New      int64 `json:"new"`
	There    int64 `json:"already_there"`
	// Unsure were accepted by a system that does not say whether they are new.
	Unsure   int64 `json:"not_known_whether_new"`
	Rejected int64 `json:"rejected"`
	// Unsent were read and not answered when the import had to stop.
	Unsent  int64  `json:"not_sent"`
	DryRun  bool   `json:"dry_run"`
	Rejects string `json:"rejects_file,omitempty"`
}

func (t *importTally) String() string {
	if t.DryRun {
		return fmt.Sprintf("%s: %s can be accepted, %s rejected; nothing was sent", counted(t.Rows, "row", "rows"), grouped(t.Accepted), grouped(t.Rejected))
	}
	kinds := grouped(t.New) + " new, " + grouped(t.There) + " already there"
	if t.Unsure > 0 {
		kinds += ", " + grouped(t.Unsure) + " new or already there"
	}
	s := fmt.Sprintf("%s: %s accepted (%s), %s rejected", counted(t.Rows, "row", "rows"), grouped(t.Accepted), kinds, grouped(t.Rejected))
	if t.Unsent > 0 {
		s += fmt.Sprintf(", %s not sent", grouped(t.Unsent))
	}
	return s
}

// importer takes one file in.
type importer struct {
	importOptions
	ctx     context.Context
	intake  intakev1.IntakeServiceClient
	leads   leadv1.LeadServiceClient
	rows    *records
	mapping *mapping
	rules   intake.Vocabulary
	rejects *rejectFile
	bar     *progressBar
	tally   importTally
	// first is why the first rejected row stayed out.
	first string
	// began is the system's time before the first row went in; nil = not known.
	began *time.Time
	// seen holds the new leads of this import, as digests of 8 bytes.
	seen map[uint64]struct{}
	seed maphash.Seed
	// pause waits between two attempts.
	pause func(context.Context, time.Duration) error

	waiting []waiting
	bytes   int
}

// waiting is a row that is ready to be sent, or refused already: rejects keep
// the order of the file.
type waiting struct {
	rec  *record
	no   *refusal
	live *intakev1.SubmitRequest
	past *intakev1.HistoryRow
}

func runImport(c *call, o importOptions) error {
	file, err := os.Open(o.path)
	if err != nil {
		return fault.New(fault.NotFound, "the file cannot be read: %w", err)
	}
	defer file.Close()
	var wanted *mapFile
	var delimiter byte
	if o.mapPath != "" {
		if wanted, err = readMap(o.mapPath); err != nil {
			return err
		}
		if delimiter, err = delimiterOf(wanted.Delimiter); err != nil {
			return err
		}
	}
	rows, err := newRecords(file, delimiter)
	if err != nil {
		return err
	}
	if wanted == nil {
		wanted = defaultMap(rows.header, o.history)
	}
	mapping, err := wanted.fit(rows.header, o.history)
	if err != nil {
		return err
	}
	im := &importer{
		importOptions: o, ctx: c.ctx, rows: rows, mapping: mapping, bar: newProgressBar(c.cmd.ErrOrStderr(), sizeOf(file)),
		rejects: &rejectFile{path: o.path + ".rejects.csv", header: rows.header},
		tally:   importTally{DryRun: o.dry}, seen: map[uint64]struct{}{}, seed: maphash.MakeSeed(), pause: pause,
	}
	if !o.dry {
		if err := im.connect(c); err != nil {
			return err
		}
	}
	return im.finish(c, im.run())
}

func sizeOf(f *os.File) int64 {
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

func delimiterOf(text string) (byte, error) {
	switch text {
	case "":
		return 0, nil
	case ",", ";", "\t", "|":
		return text[0], nil
	}
	return 0, fault.New(fault.Invalid, "the map's delimiter is %q; it can be \",\", \";\", \"|\" or \"\\t\"", text)
}

// connect looks at the system before the first row goes in.
func (im *importer) connect(c *call) error {
	im.intake, im.leads = intakev1.NewIntakeServiceClient(c.conn), leadv1.NewLeadServiceClient(c.conn)
	list, err := im.intake.ListSources(im.ctx, &intakev1.ListSourcesRequest{})
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
	a, err := agreementv1.NewAgreementServiceClient(c.conn).GetAgreement(im.ctx, &agreementv1.GetAgreementRequest{})
	switch {
	case fault.Is(err, fault.NotFound), fault.Is(err, fault.State):
		// No agreement is in force, so there are no agreed words yet.
	case err != nil:
		return err
	default:
		if compiled, err := agreement.Compile(a.GetDocument()); err == nil {
			im.rules = compiled
		}
	}
	if im.history {
		return nil
	}
	return im.settled(feedbackv1.NewReportServiceClient(c.conn))
}

// settlesWithin is how long an import waits for deliveries that are kept but
// not worked yet: until they are, their leads are not known.
const settlesWithin = 10 * time.Second

// settled waits until what came before is worked, and notes the system's time:
// a lead that was received earlier was there already.
func (im *importer) settled(service feedbackv1.ReportServiceClient) error {
	const step = 200 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		s, err := service.GetStatus(im.ctx, &feedbackv1.GetStatusRequest{})
		if fault.Is(err, fault.State) {
			return nil // this process does not serve it
		}
		if err != nil {
			return err
		}
		if s.GetReadOnly() != "" {
			return fault.New(fault.State, "the system takes nothing new: %s", s.GetReadOnly())
		}
		now := s.GetNow().AsTime()
		im.began = &now
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
		rec, err := im.rows.next()
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
		im.bar.show(im.rows.read, im.tally.Rows)
	}
}

// take makes a row ready to be sent, or sets it aside.
func (im *importer) take(rec *record) error {
	w := waiting{rec: rec}
	if im.history {
		w.past, w.no = im.mapping.past(rec, im.rules)
	} else {
		w.live, w.no = im.mapping.live(im.source, rec, im.rules)
	}
	if im.dry {
		if w.no != nil {
			return im.reject(rec, w.no)
		}
		im.tally.Accepted++
		return nil
	}
	im.waiting = append(im.waiting, w)
	im.bytes += size(w)
	if len(im.waiting) >= im.batch || im.bytes >= mostBytesAtOnce {
		return im.flush()
	}
	return nil
}

func size(w waiting) int {
	if w.past != nil {
		return proto.Size(w.past)
	}
	return proto.Size(w.live) + len(w.rec.raw)
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
	if im.history {
		err = im.sendPast(rows, answers)
	} else {
		err = im.sendLive(rows, answers)
	}
	for i, a := range answers {
		switch {
		case a.no != nil:
			err = errors.Join(err, im.reject(rows[i].rec, a.no))
		case a.fate == fateUnsent:
		default:
			im.tally.Accepted++
			switch im.again(a) {
			case fateNew:
				im.tally.New++
			case fateThere:
				im.tally.There++
			default:
				im.tally.Unsure++
			}
		}
	}
	return err
}

// answer is what became of a row.
type answer struct {
	lead string
	fate fate
	no   *refusal
}

// fate says whether a row opened a lead.
type fate int

const (
	fateUnsent fate = iota
	fateNew
	fateThere
	fateUnsure
)

// again finds rows that open the same lead twice within one file.
func (im *importer) again(a answer) fate {
	if a.fate != fateNew || im.history {
		return a.fate
	}
	digest := maphash.String(im.seed, a.lead)
	if _, twice := im.seen[digest]; twice {
		return fateThere
	}
	im.seen[digest] = struct{}{}
	return fateNew
}

func (im *importer) sendPast(rows []waiting, answers []answer) error {
	req := &intakev1.ImportHistoryRequest{Source: im.source}
	var places []int
	for i, w := range rows {
		if w.no == nil {
			req.Rows, places = append(req.Rows, w.past), append(places, i)
		}
	}
	if len(places) == 0 {
		return nil
	}
	var res *intakev1.ImportHistoryResponse
	err := im.persist(func() (err error) {
		res, err = im.intake.ImportHistory(im.ctx, req)
		return err
	})
	if err != nil {
		return err
	}
	if len(res.GetResults()) != len(places) {
		return fault.New(fault.Unknown, "the system answered for %d of %d rows", len(res.GetResults()), len(places))
	}
	for n, r := range res.GetResults() {
		i := places[n]
		switch {
		case r.GetError() != "":
			answers[i].no = &refusal{reason: r.GetError()}
		case r.GetDuplicate():
			answers[i] = answer{lead: r.GetLeadId(), fate: fateThere}
		default:
			answers[i] = answer{lead: r.GetLeadId(), fate: fateNew}
		}
	}
	return nil
}

func (im *importer) sendLive(rows []waiting, answers []answer) error {
	together, ctx := errgroup.WithContext(im.ctx)
	for i, w := range rows {
		if w.no != nil {
			continue
		}
		together.Go(func() error {
			var res *intakev1.SubmitResponse
			err := im.persist(func() (err error) {
				res, err = im.intake.Submit(ctx, w.live)
				return err
			})
			if fault.Is(err, fault.Invalid) {
				answers[i].no = &refusal{reason: err.Error()}
				return nil
			}
			if err != nil {
				return err
			}
			answers[i] = answer{lead: res.GetLeadId(), fate: im.known(ctx, res.GetLeadId())}
			return nil
		})
	}
	return together.Wait()
}

// known looks a lead up that was just taken: the door itself does not look, so
// that it need not wait. The row is on disk whatever this finds.
func (im *importer) known(ctx context.Context, leadID string) fate {
	if im.began == nil {
		return fateUnsure
	}
	l, err := im.leads.GetLead(ctx, &leadv1.GetLeadRequest{LeadId: leadID})
	switch {
	case fault.Is(err, fault.NotFound):
		return fateNew // not worked yet
	case err != nil:
		return fateUnsure
	case l.GetReceivedAt().AsTime().Before(*im.began):
		return fateThere
	}
	return fateNew
}

// attempts is how often a row is sent before the import gives up. To send it
// again is harmless.
const attempts = 6

// persist repeats what passes: a full disk that is being freed, a server that
// starts again.
func (im *importer) persist(send func() error) error {
	delay := 100 * time.Millisecond
	for n := 1; ; n++ {
		err := send()
		switch fault.Of(err) {
		case fault.Unavailable, fault.Full, fault.Conflict:
		default:
			return err
		}
		if n == attempts || errors.Is(err, context.Canceled) {
			return err
		}
		if wait := im.pause(im.ctx, delay); wait != nil {
			return wait
		}
		delay *= 2
	}
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
	written, closeErr := im.rejects.close()
	err = errors.Join(err, closeErr)
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
