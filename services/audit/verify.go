package audit

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
	"github.com/leadbaton/baton/services/qualification"
	"github.com/leadbaton/baton/services/routing"
	"github.com/leadbaton/baton/services/score"
)

// Source hands out the log as stored. It is all that verifying needs: no state
// is shared with whoever wrote it.
type Source interface {
	// Read calls fn for each record of a stream in order, missing for one that
	// cannot be read.
	Read(ctx context.Context, stream string, fn func(*ledger.Record) error, missing func(seq uint64, why string) error) error
	// Checkpoints answers a stream's signed tree heads, the key that signs them,
	// and the newest one that left the data directory.
	Checkpoints(ctx context.Context, stream string) (notes []string, verifier, outside string, err error)
}

// Finding is one thing that is not as it must be.
type Finding struct {
	Stream string `json:"stream"`
	Seq    uint64 `json:"sequence"`
	What   string `json:"what"`
}

// Result is what a verification found.
type Result struct {
	Ledger      string    `json:"ledger"`
	Events      int64     `json:"events"`
	Records     int64     `json:"intake_records"`
	Deliveries  int64     `json:"deliveries"`
	Unworked    int64     `json:"deliveries_not_worked_yet"`
	Decisions   int64     `json:"decisions"`
	Differ      int64     `json:"differ"`
	Facts       int64     `json:"facts_checked"`
	Agreements  int64     `json:"agreement_versions"`
	Checkpoints int64     `json:"checkpoints"`
	Findings    []Finding `json:"findings"`
	// More counts findings beyond the first hundred.
	More int64 `json:"more_findings"`
}

// Whole says whether nothing was found.
func (r *Result) Whole() bool { return len(r.Findings) == 0 && r.More == 0 }

const mostFindings = 100

func (r *Result) find(stream string, seq uint64, format string, args ...any) {
	if len(r.Findings) >= mostFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{stream, seq, fmt.Sprintf(format, args...)})
}

// window is how many events the fold lags behind the reader, so that a decision
// finds the world as it was at its basis even when another service's later
// basis stands before it in the log.
const window = 10_000

// Options narrow a verification.
type Options struct {
	// From and To limit which decisions are derived again, by recorded time.
	// Chains, signatures and trees are always checked whole.
	From, To time.Time
	// Progress hears of every thousandth record; nil = nobody.
	Progress func(stream string, seq uint64)

	// lag is another window; 0 = window. Tests make it small.
	lag int
}

// Verify derives every decision of a log again and checks its chains,
// signatures and trees. An error means that it could not be done; what is wrong
// with the log is in the result.
func Verify(ctx context.Context, src Source, opt Options) (*Result, error) {
	if opt.lag == 0 {
		opt.lag = window
	}
	v := &verifying{
		src: src, opt: opt, out: &Result{}, keys: map[string]ed25519.PublicKey{}, places: map[string]ledger.Place{}, cited: map[place]citation{},
		world: newWorld(), quarters: newQuarters(),
	}
	if err := v.ledger(ctx); err != nil {
		return nil, err
	}
	if err := v.intake(ctx); err != nil {
		return nil, err
	}
	return v.out, nil
}

// world is everything that decisions read, folded to one sequence.
type world struct {
	pos      uint64
	leads    map[string]*lead.State
	register *agreement.Register
	scores   *score.Register
	roster   *routing.Roster
	groups   *routing.Groups
	people   *lead.People
	line     *qualification.Line
	times    *routing.Times
}

func newWorld() *world {
	w := &world{leads: map[string]*lead.State{}, register: &agreement.Register{}, scores: &score.Register{}, roster: routing.NewRoster(), groups: routing.NewGroups(), people: lead.NewPeople(), line: qualification.NewLine()}
	w.times = routing.NewTimes(w.register, w.roster, w.people)
	return w
}

func (w *world) apply(e *ledger.Event) {
	w.pos = e.Seq
	if id, ok := lead.FromSubject(e.Subject); ok {
		s := w.leads[id]
		if s == nil {
			s = &lead.State{ID: id}
			w.leads[id] = s
		}
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		s.Remember(e.Cause, e.Seq)
		s.Course.Named(e.ID)
		s.Explanation, s.Considered, s.Counts, s.RoutingSummary, s.Personal = nil, nil, nil, "", nil
	}
	w.register.Apply(e)
	w.scores.Apply(e)
	w.roster.Apply(e)
	w.groups.Apply(e)
	w.people.Evolve(e.Subject, e.Seq, e.Occurred, e.Recorded, e.Body)
	w.line.Apply(e)
	w.times.Apply(e, func(id string) string { return routing.PoolOf(&w.lead(id).Course) })
}

func (w *world) lead(id string) *lead.State {
	if s := w.leads[id]; s != nil {
		return s
	}
	return &lead.State{ID: id}
}

type verifying struct {
	src    Source
	opt    Options
	out    *Result
	keys   map[string]ed25519.PublicKey
	places map[string]ledger.Place
	// keyless says that the log names no keys.
	keyless bool
	// cited are the deliveries that LEDGER speaks of, by place.
	cited map[place]citation
	// verifier is the key that the source says signs the checkpoints.
	verifier string

	world *world
	// quarters are the targets that were agreed, and what was stated of them.
	quarters *quarters
	// ahead are events that are read and not folded yet.
	ahead []*ledger.Event
	// due are events with a logic version, by basis, then by sequence.
	due []*ledger.Event
}

// place is where a delivery stands: its record in INTAKE, and its place in it.
type place struct {
	seq   uint64
	index uint32
}

// citation is what LEDGER says of a delivery, and in which record.
type citation struct {
	digest []byte
	by     uint64
}

func (v *verifying) ledger(ctx context.Context) error {
	points, err := v.points(ctx, ledger.StreamLedger)
	if err != nil {
		return err
	}
	tree := &headTree{expect: points}
	err = v.read(ctx, ledger.StreamLedger, tree, func(c *checked) {
		if v.opt.Progress != nil && c.Seq%1000 == 0 {
			v.opt.Progress(ledger.StreamLedger, c.Seq)
		}
		v.record(tree, c)
	}, nil)
	if err != nil {
		return err
	}
	v.rederive(true)
	if err := v.recount(ctx); err != nil {
		return err
	}
	v.out.Agreements = int64(len(v.world.register.Versions()))
	v.named(ledger.StreamLedger, points)
	v.ends(ledger.StreamLedger, tree)
	return nil
}

// checked is a record and everything about it that can be said without the
// others: it is found out on all processors at once.
type checked struct {
	*ledger.Record
	event *ledger.Event
	// unread says why it is no event; unsigned why its signature does not fit; keyless
	// that there is no key to hold it against.
	unread, unsigned error
	keyless          bool
	leaf             tlog.Hash
}

// check holds a record against the keys that the log had named before it.
func check(r *ledger.Record, keys map[string]ed25519.PublicKey) *checked {
	c := &checked{Record: r, leaf: tlog.RecordHash(r.Leaf()), keyless: len(keys) == 0}
	c.event, c.unread = r.Decode()
	if !c.keyless {
		c.unsigned = r.Verify(keys)
	}
	return c
}

// read hands out the records of a stream in their order, each checked by itself,
// and names those that cannot be read; gone hears of them, nil = nobody.
func (v *verifying) read(ctx context.Context, stream string, tree *headTree, fn func(*checked), gone func(seq uint64)) error {
	pool := newOrdered()
	begun := false
	err := v.src.Read(ctx, stream, func(r *ledger.Record) error {
		if stream == ledger.StreamLedger && r.Seq == 1 && !begun {
			// Every other record is checked against the keys that this one names, so
			// they are taken before any check has begun.
			v.opened(r)
		}
		begun = true
		keys := v.keys
		if stream == ledger.StreamLedger {
			v.added(r)
		}
		pool.put(func() func() {
			c := check(r, keys)
			return func() {
				tree.last = c.Seq
				fn(c)
			}
		})
		return nil
	}, func(seq uint64, why string) error {
		begun = true
		pool.put(func() func() {
			return func() {
				v.out.find(stream, seq, "the record cannot be read: %s; it was changed or cut on disk", why)
				tree.last, tree.broken = seq, true
				if gone != nil {
					gone(seq)
				}
			}
		})
		return nil
	})
	pool.close()
	return err
}

// opened takes the log's name and keys from its first record.
func (v *verifying) opened(r *ledger.Record) {
	e, err := r.Decode()
	if err != nil {
		return
	}
	if opened, ok := e.Body.(*auditv1.LedgerOpened); ok {
		v.out.Ledger = opened.GetLedgerId()
		for _, k := range opened.GetKeys() {
			v.keys[k.GetService()] = k.GetPublicKey()
		}
	}
}

// added takes the key of a service that came later; what it writes counts from the next
// record on. Checks that are under way keep the keys that they have.
func (v *verifying) added(r *ledger.Record) {
	if r.Type() != ledger.TypeOf((*auditv1.ServiceKeyAdded)(nil)) || r.Subject != ledger.SubjectSelf || r.Verify(v.keys) != nil {
		return
	}
	e, err := r.Decode()
	if err != nil {
		return
	}
	k := e.Body.(*auditv1.ServiceKeyAdded).GetKey()
	if _, known := v.keys[k.GetService()]; known {
		return // nobody's key is exchanged
	}
	v.keys = maps.Clone(v.keys)
	v.keys[k.GetService()] = k.GetPublicKey()
}

// record checks one record of LEDGER against its subject and the log so far.
func (v *verifying) record(tree *headTree, r *checked) {
	const stream = ledger.StreamLedger
	v.out.Events++
	if r.unread != nil {
		v.out.find(stream, r.Seq, "%v", r.unread)
		tree.broken = true
		return
	}
	e := r.event
	v.signed(stream, r)
	for _, problem := range tree.add(r.Seq, r.leaf) {
		v.out.find(stream, r.Seq, "%s", problem)
	}
	if prev := v.places[e.Subject]; prev.Hash != e.Prev {
		if prev.Seq == 0 {
			v.out.find(stream, r.Seq, "it is not the first of its subject, but none before it can be read")
		} else {
			v.out.find(stream, r.Seq, "it does not follow record %d of its subject: one of the two, or one between them, was changed after it was written", prev.Seq)
		}
	} else if e.Recorded.Before(prev.Recorded) {
		v.out.find(stream, r.Seq, "its recorded time lies before that of record %d of its subject", prev.Seq)
	}
	v.places[e.Subject] = ledger.Place{Seq: e.Seq, Hash: e.Hash, Recorded: e.Recorded}
	v.fact(e)
	v.quarter(e)
	v.ahead = append(v.ahead, e)
	if e.Logic != "" {
		if e.Basis >= e.Seq {
			v.out.find(stream, e.Seq, "its basis %d does not lie before it", e.Basis)
		} else {
			at, _ := slices.BinarySearchFunc(v.due, e, byBasis)
			v.due = slices.Insert(v.due, at, e)
		}
	}
	v.rederive(false)
}

// signed checks a record's signature. The keys stand in the log's first record;
// where that is gone, all that can be said is said once.
func (v *verifying) signed(stream string, r *checked) {
	if !r.keyless {
		if r.unsigned != nil {
			v.out.find(stream, r.Seq, "%v", r.unsigned)
		}
		return
	}
	if !v.keyless {
		v.out.find(stream, r.Seq, "no signature can be checked from here on: the log's first record, which names the keys, is not there")
	}
	v.keyless = true
}

func byBasis(a, b *ledger.Event) int {
	if a.Basis != b.Basis {
		if a.Basis < b.Basis {
			return -1
		}
		return 1
	}
	if a.Seq < b.Seq {
		return -1
	}
	return 1
}

// fact checks what people and documents state.
func (v *verifying) fact(e *ledger.Event) {
	cite := func(d *leadv1.DeliveryRef) {
		if d.GetSequence() != 0 {
			v.cited[place{d.GetSequence(), d.GetIndex()}] = citation{d.GetDigest(), e.Seq}
		}
	}
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		cite(body.GetDelivery())
	case *leadv1.SubmissionRepeated:
		cite(body.GetDelivery())
	case *leadv1.SubmissionRevised:
		cite(body.GetDelivery())
	case *leadv1.TouchAdded:
		cite(body.GetDelivery())
	case *leadv1.LeadRemapped:
		cite(body.GetDelivery())
	case *intakev1.TouchWaiting:
		cite(body.GetDelivery())
	case *intakev1.DeliveryRefused:
		cite(body.GetDelivery())
	case *intakev1.DeliveryIgnored:
		cite(body.GetDelivery())
	case *intakev1.DeliveryHeld:
		cite(body.GetDelivery())
	case *intakev1.DeliveryReleased:
		cite(body.GetDelivery())
	case *agreementv1.AgreementSigned:
		v.out.Facts++
		if !ed25519.Verify(body.GetPublicKey(), agreement.SignedText(body.GetDigest()), body.GetSignature()) {
			v.out.find(ledger.StreamLedger, e.Seq, "the signature of %s under the agreement does not fit", body.GetParty())
		}
	case *scorev1.ScoreTrained:
		v.out.Facts++
		if digest := score.Digest(body.GetModel()); !bytes.Equal(digest[:], body.GetDigest()) {
			v.out.find(ledger.StreamLedger, e.Seq, "the digest of model %d of the score does not fit its table", body.GetModel().GetNumber())
		}
	case *scorev1.ScoreSigned:
		v.out.Facts++
		if !ed25519.Verify(body.GetPublicKey(), agreement.SignedAs(score.Signed, body.GetDigest()), body.GetSignature()) {
			v.out.find(ledger.StreamLedger, e.Seq, "the signature of %s under the score does not fit", body.GetParty())
		}
	case *agreementv1.OverlayEnded:
		v.out.Facts++
		if !e.Occurred.Equal(body.GetUntil().AsTime()) || e.Recorded.Before(e.Occurred) {
			v.out.find(ledger.StreamLedger, e.Seq, "the end of the exception %s is not dated at the instant at which it was agreed to end", body.GetOverlay())
		}
	}
}

// rederive makes decisions again whose basis the reader has left far enough
// behind; at the end all of them.
func (v *verifying) rederive(all bool) {
	for len(v.due) > 0 && (all || len(v.ahead) > v.opt.lag) {
		first := v.due[0]
		if len(v.ahead) > 0 && !all && first.Basis > v.ahead[len(v.ahead)-1].Seq-uint64(v.opt.lag/2) {
			break
		}
		if first.Basis < v.world.pos {
			v.out.find(ledger.StreamLedger, first.Seq, "its basis %d is older than %d events, so it cannot be derived again in one pass", first.Basis, v.opt.lag)
			v.due = v.due[1:]
			continue
		}
		v.foldTo(first.Basis)
		n := 1
		for n < len(v.due) && v.due[n].Basis == first.Basis {
			n++
		}
		v.batch(v.due[:n])
		v.due = v.due[n:]
	}
	if len(v.due) == 0 && len(v.ahead) > v.opt.lag {
		v.foldTo(v.ahead[len(v.ahead)-1].Seq - uint64(v.opt.lag/2))
	}
}

func (v *verifying) foldTo(seq uint64) {
	i := 0
	for ; i < len(v.ahead) && v.ahead[i].Seq <= seq; i++ {
		v.world.apply(v.ahead[i])
	}
	v.ahead = v.ahead[i:]
}

// batch derives the decisions of one basis again.
func (v *verifying) batch(events []*ledger.Event) {
	var routed, timed []*ledger.Event
	for _, e := range events {
		if !v.wanted(e) {
			continue
		}
		switch {
		case routing.IsClocks(e.Logic):
			timed = append(timed, e)
		case e.Service == routing.Name:
			routed = append(routed, e)
		case e.Service == qualification.Name:
			v.out.Decisions++
			id, _ := lead.FromSubject(e.Subject)
			want, err := qualification.Rederive(e, v.world.lead(id), v.world.register, v.world.scores)
			switch {
			case err != nil:
				v.differs(e, err.Error())
			case want == nil:
				v.differs(e, "nothing was due on the lead")
			case !proto.Equal(want, e.Body):
				v.differs(e, "it differs from what the log gives")
			}
		}
	}
	differ := map[uint64]string{}
	if len(routed) > 0 {
		differ = routing.Rederive(v.world.groups, v.world.roster, v.world.register, v.world.people, v.world.lead, routed)
	}
	if len(timed) > 0 {
		maps.Copy(differ, routing.RederiveClocks(v.world.times, v.world.lead, timed))
	}
	v.out.Decisions += int64(len(routed) + len(timed))
	for _, e := range append(routed, timed...) {
		if why := differ[e.Seq]; why != "" {
			v.differs(e, why)
		}
	}
}

func (v *verifying) wanted(e *ledger.Event) bool {
	return (v.opt.From.IsZero() || !e.Recorded.Before(v.opt.From)) && (v.opt.To.IsZero() || e.Recorded.Before(v.opt.To))
}

func (v *verifying) differs(e *ledger.Event, why string) {
	v.out.Differ++
	v.out.find(ledger.StreamLedger, e.Seq, "the decision %s cannot be derived again: %s", e.Type, why)
}

// intake checks the stream of deliveries and that each has its outcome.
func (v *verifying) intake(ctx context.Context) error {
	const stream = ledger.StreamIntake
	points, err := v.points(ctx, stream)
	if err != nil {
		return err
	}
	tree := &headTree{expect: points}
	var unworked []uint64
	var lastWorked uint64
	// told are records of which it is said already that they cannot be read.
	told := map[uint64]bool{}
	err = v.read(ctx, stream, tree, func(r *checked) {
		v.out.Records++
		v.signed(stream, r)
		for _, problem := range tree.add(r.Seq, r.leaf) {
			v.out.find(stream, r.Seq, "%s", problem)
		}
		if r.unread != nil {
			told[r.Seq] = true
			v.out.find(stream, r.Seq, "%v", r.unread)
			return
		}
		record, ok := r.event.Body.(*intakev1.IntakeRecord)
		if !ok {
			told[r.Seq] = true
			v.out.find(stream, r.Seq, "it is a %s, not a record of deliveries", r.event.Type)
			return
		}
		for i, d := range record.GetDeliveries() {
			v.out.Deliveries++
			at := place{r.Seq, uint32(i)}
			cited, worked := v.cited[at]
			delete(v.cited, at)
			switch {
			case !worked:
				v.out.Unworked++
				unworked = append(unworked, r.Seq)
			case !bytes.Equal(cited.digest, d.GetDigest()):
				v.out.find(stream, r.Seq, "the delivery at place %d is not the one that LEDGER cites", i)
				lastWorked = r.Seq
			default:
				lastWorked = r.Seq
			}
		}
	}, func(seq uint64) { told[seq] = true })
	if err != nil {
		return err
	}
	v.uncited(told)
	for _, seq := range unworked {
		if seq < lastWorked {
			v.out.find(stream, seq, "a delivery has no outcome, although later ones have")
		}
	}
	v.named(stream, points)
	v.ends(stream, tree)
	return nil
}

// uncited checks that every delivery that LEDGER speaks of is there: what is
// left was in no record of INTAKE.
func (v *verifying) uncited(told map[uint64]bool) {
	var gone []place
	for at := range v.cited {
		if !told[at.seq] {
			gone = append(gone, at)
		}
	}
	slices.SortFunc(gone, func(a, b place) int { return cmp.Compare(v.cited[a].by, v.cited[b].by) })
	for _, at := range gone {
		v.out.find(ledger.StreamLedger, v.cited[at].by, "it cites the delivery at place %d of INTAKE record %d, which is not there", at.index, at.seq)
	}
}

// named checks that the checkpoints' key is the one that the log itself names:
// whoever hands out the log could hand out another with it.
func (v *verifying) named(stream string, points map[int64]tlog.Hash) {
	key, ok := v.keys[Name]
	if !ok || len(points) == 0 {
		return
	}
	if want, err := ledger.Verifier(v.out.Ledger, key); err != nil || v.verifier != want {
		v.out.find(ledger.StreamLedger, 1, "the checkpoints of %s are signed by another key than the one that the log's first record names", stream)
	}
}

// points are the roots that signed checkpoints promise, by size.
func (v *verifying) points(ctx context.Context, stream string) (map[int64]tlog.Hash, error) {
	notes, verifier, outside, err := v.src.Checkpoints(ctx, stream)
	if err != nil {
		return nil, err
	}
	if outside != "" {
		notes = append(notes, outside)
	}
	v.verifier = verifier
	out := map[int64]tlog.Hash{}
	for _, text := range notes {
		id := v.out.Ledger
		if id == "" {
			id = ledger.CheckpointLedger(text)
		}
		c, err := ledger.OpenCheckpoint(text, verifier, id, stream)
		if err != nil {
			v.out.find(stream, 0, "%v", err)
			continue
		}
		if known, ok := out[c.Size]; ok && known != c.Root {
			v.out.find(stream, uint64(c.Size), "two signed checkpoints of the same size have different roots")
		}
		out[c.Size] = c.Root
		v.out.Checkpoints++
	}
	return out, nil
}

// ends checks that no checkpoint speaks of records that are not there.
func (v *verifying) ends(stream string, tree *headTree) {
	var largest int64
	for size := range tree.expect {
		largest = max(largest, size)
	}
	if largest > int64(tree.last) {
		v.out.find(stream, tree.last, "the stream ends at record %d, but a signed checkpoint speaks of %d: its end was cut off", tree.last, largest)
	}
}

// headTree keeps a tree's right edge and compares roots on the way.
type headTree struct {
	n      int64
	hashes map[int64]tlog.Hash
	expect map[int64]tlog.Hash
	// broken says that a record is missing, so that no root can be compared any
	// more; last is the last one that the stream holds.
	broken bool
	last   uint64
}

// ReadHashes implements tlog.HashReader over what is kept.
func (t *headTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		h, ok := t.hashes[at]
		if !ok {
			return nil, fmt.Errorf("audit: the tree holds no hash %d", at)
		}
		out[i] = h
	}
	return out, nil
}

func (t *headTree) add(seq uint64, leaf tlog.Hash) (problems []string) {
	if t.broken {
		return nil
	}
	if int64(seq) != t.n+1 {
		t.broken = true
		return []string{fmt.Sprintf("it stands where record %d belongs", t.n+1)}
	}
	if t.hashes == nil {
		t.hashes = map[int64]tlog.Hash{}
	}
	added, err := tlog.StoredHashesForRecordHash(t.n, leaf, t)
	if err != nil {
		t.broken = true
		return []string{err.Error()}
	}
	first := tlog.StoredHashIndex(0, t.n)
	for i, h := range added {
		t.hashes[first+int64(i)] = h
	}
	t.n++
	t.prune()
	want, ok := t.expect[t.n]
	if !ok {
		return nil
	}
	root, err := tlog.TreeHash(t.n, t)
	if err != nil {
		return []string{err.Error()}
	}
	if root != want {
		return []string{fmt.Sprintf("the first %d records do not fit the checkpoint that was signed over them", t.n)}
	}
	return nil
}

// prune keeps only the hashes that later roots and hashes need: the complete
// subtrees along the right edge.
func (t *headTree) prune() {
	if t.n%1024 != 0 {
		return
	}
	keep := map[int64]tlog.Hash{}
	at := int64(0)
	for level := 62; level >= 0; level-- {
		size := int64(1) << level
		if t.n&size == 0 {
			continue
		}
		index := tlog.StoredHashIndex(level, at/size)
		if h, ok := t.hashes[index]; ok {
			keep[index] = h
		}
		at += size
	}
	t.hashes = keep
}
