package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// line is a lossy line between a ledger and its server.
type line struct {
	mu       sync.Mutex
	changed  *sync.Cond
	ends     []*lineEnd
	answers  bool // answers are held back
	requests bool // requests are held back
	refused  bool // nobody gets a new line
	held     chan struct{}
}

func newLine() *line {
	n := &line{held: make(chan struct{}, 1)}
	n.changed = sync.NewCond(&n.mu)
	return n
}

// Dial implements nats.CustomDialer.
func (n *line) Dial(network, address string) (net.Conn, error) {
	n.mu.Lock()
	refused := n.refused
	n.mu.Unlock()
	if refused {
		return nil, errors.New("the line is down")
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	end := &lineEnd{Conn: conn, line: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ends = append(n.ends, end)
	return end, nil
}

func (n *line) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
	n.changed.Broadcast()
}

// holdAnswers keeps back what the server says from now on.
func (n *line) holdAnswers() { n.set(func() { n.answers = true }) }

// holdRequests keeps back what the ledger says from now on; held tells when
// there is something.
func (n *line) holdRequests() { n.set(func() { n.requests = true }) }

// release lets everything through, late.
func (n *line) release() {
	n.set(func() {
		n.answers, n.requests = false, false
		for _, end := range n.ends {
			_, _ = end.Conn.Write(end.late)
			end.late = nil
		}
	})
}

// cut loses what is held back, and the line; the ledger gets a new one.
func (n *line) cut() {
	n.set(func() {
		n.answers, n.requests = false, false
		for _, end := range n.ends {
			end.gone, end.late = true, nil
			_ = end.Conn.Close()
		}
		n.ends = nil
	})
}

// refuse lets nobody connect any more, or lets them again.
func (n *line) refuse(yes bool) { n.set(func() { n.refused = yes }) }

type lineEnd struct {
	net.Conn
	line *line
	late []byte
	gone bool
}

func (e *lineEnd) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	for e.line.answers && !e.gone && err == nil {
		e.line.changed.Wait()
	}
	if e.gone {
		return 0, net.ErrClosed
	}
	return n, err
}

func (e *lineEnd) Write(b []byte) (int, error) {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	if !e.line.requests {
		return e.Conn.Write(b)
	}
	e.late = append(e.late, b...)
	select {
	case e.line.held <- struct{}{}:
	default:
	}
	return len(b), nil
}

func (e *lineEnd) Close() error {
	e.line.set(func() { e.gone = true })
	return e.Conn.Close()
}

// lossy opens a ledger over a lossy line, and a second line to its server that
// nothing disturbs.
func lossy(t *testing.T, timeout time.Duration) (*Ledger, *line, jetstream.JetStream) {
	t.Helper()
	n := newLine()
	l := open(t, t.TempDir(), Config{Dialer: n})
	l.timeout = timeout
	nc, err := nats.Connect("", nats.InProcessServer(l.srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return l, n, js
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		<-tick.C
	}
}

// stands waits until the server holds so many records of a stream.
func stands(t *testing.T, js jetstream.JetStream, stream string, n uint64) {
	t.Helper()
	eventually(t, "the record stands", func() bool {
		s, err := js.Stream(t.Context(), stream)
		return err == nil && s.CachedInfo().State.LastSeq >= n
	})
}

// once says a lead's first event unless it is there.
func once(id string) func(v *View) ([]Draft, error) {
	return func(v *View) ([]Draft, error) {
		if v.Place(lead.SubjectOf(id)).Seq != 0 {
			return nil, nil
		}
		return []Draft{received(id)}, nil
	}
}

// cutAnew cuts the line and waits until the ledger has another one.
func cutAnew(t *testing.T, l *Ledger, n *line) {
	t.Helper()
	before := l.nc.Stats().Reconnects
	n.cut()
	eventually(t, "there is another line", func() bool { return l.nc.Stats().Reconnects > before && l.nc.IsConnected() })
}

// A time-out is neither a success nor a refusal: what was said may stand, and
// whoever looks before saying it again says it once.
func TestTimeoutIsNoAnswer(t *testing.T) {
	l, n, js := lossy(t, 150*time.Millisecond)
	none := func(string) Place { return Place{} }
	unanswered := func(t *testing.T, drafts ...Draft) {
		t.Helper()
		if events, err := l.Say(t.Context(), "intake", none, noon, drafts...); !fault.Is(err, fault.Unavailable) || events != nil {
			t.Errorf("no answer came, and Say made of it: %v, %v", events, err)
		}
	}
	only := func(t *testing.T, id string) {
		t.Helper()
		l.timeout = publishTimeout
		defer func() { l.timeout = 150 * time.Millisecond }()
		if _, err := l.Write(t.Context(), "intake", once(id)); err != nil {
			t.Fatal(err)
		}
		history, err := l.History(t.Context(), lead.SubjectOf(id))
		if err != nil || len(history) != 1 {
			t.Errorf("it was said %d times, %v", len(history), err)
		}
	}
	t.Run("the answer is lost", func(t *testing.T) {
		n.holdAnswers()
		unanswered(t, received("a"))
		stands(t, js, StreamLedger, 2)
		cutAnew(t, l, n)
		only(t, "a")
	})
	t.Run("the request is lost", func(t *testing.T) {
		n.holdRequests()
		unanswered(t, received("b"))
		cutAnew(t, l, n)
		only(t, "b")
	})
	t.Run("the request comes late", func(t *testing.T) {
		n.holdRequests()
		unanswered(t, received("c"))
		n.release()
		only(t, "c")
	})
	t.Run("the answer to a batch is lost", func(t *testing.T) {
		n.holdAnswers()
		unanswered(t, received("d"), received("e"))
		cutAnew(t, l, n)
		only(t, "d")
		only(t, "e")
	})
}

// stopping is a decider that is stopped between deciding and saying.
type stopping struct {
	echo
	l    *Ledger
	stop func()
}

func (s *stopping) Decide(v *View, items []*Item) ([]Draft, error) {
	drafts, err := s.echo.Decide(v, items)
	// Whatever was acked by now has reached the server.
	if flushErr := s.l.nc.Flush(); flushErr != nil {
		return nil, flushErr
	}
	s.stop()
	return drafts, err
}

// A message is let go only when what follows from it stands: a service that
// stops in between gets it again.
func TestAckComesLast(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	cfg := DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, AckWait: time.Hour}
	first, stop := context.WithCancel(t.Context())
	defer stop()
	desk, err := l.Desk(first, &stopping{l: l, stop: stop}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	<-desk.Stopped()
	// The log's opening is none of its business and is let go; the lead is not.
	eventually(t, "one message waits for the service that stopped before it said anything", func() bool {
		n, err := desk.Pending(t.Context())
		return err == nil && n == 1
	})
	second, end := context.WithCancel(t.Context())
	defer end()
	again, err := l.Desk(second, &echo{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Settle(t.Context(), again.Idle); err != nil {
		t.Fatal(err)
	}
	l.follower.View(func(v *View) {
		if s, err := v.Lead("a"); err != nil || s.State != leadv1.State_STATE_HELD {
			t.Errorf("the lead is %v: its message was let go before it was worked; %v", s.State, err)
		}
	})
	end()
	<-again.Stopped()
}

// What a process that died had taken comes to the next one at once, however
// long the server would have waited for it.
func TestDeadProcessHandsOverAtOnce(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	dead, err := l.durable(t.Context(), StreamLedger, "qualification", time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Next(jetstream.FetchMaxWait(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	desk, err := l.Desk(ctx, &echo{}, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, AckWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message of the dead process is worked", func() bool { return desk.Idle(t.Context()) })
	stop()
	<-desk.Stopped()
}

// The consumer of a desk has no filters, whoever made it: with several the server
// searches all leads at each event. What is not for the desk is let go unseen.
func TestDeskLetsGoOfWhatIsNotForIt(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	say := func(drafts ...Draft) {
		t.Helper()
		if _, err := l.Say(t.Context(), "intake", l.live, noon, drafts...); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(id string) Draft {
		return Draft{Subject: "org.refusal." + id, Cause: id, Body: &intakev1.DeliveryRefused{
			Delivery: &leadv1.DeliveryRef{DeliveryId: id, Digest: make([]byte, 32)}, SourceId: "s", Fault: "unreadable", Text: "the body cannot be read",
		}}
	}
	say(received("a"), refused("d1"), received("b"))
	// A consumer as an earlier version left it: filtered, some of its work done.
	earlier, err := l.js.CreateConsumer(t.Context(), StreamLedger, jetstream.ConsumerConfig{
		Durable: "qualification", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Hour, MaxDeliver: -1, MaxAckPending: 2000,
		FilterSubjects: []string{"lead.*", "org.agreement.*"}, DeliverPolicy: jetstream.DeliverAllPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	msg, err := earlier.Next(jetstream.FetchMaxWait(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := msg.DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d := &echo{}
	desk, err := l.Desk(ctx, d, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}, AckWait: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if cfg := desk.consumer.CachedInfo().Config; len(cfg.FilterSubjects) > 0 || cfg.FilterSubject != ">" {
		t.Errorf("the desk's consumer has the filters %q%q", cfg.FilterSubject, cfg.FilterSubjects)
	}
	say(refused("d2"), received("c"), refused("d3"))
	// It is woken by each new one, not only when it asks again by itself.
	soon, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	if err := l.Settle(soon, desk.Idle); err != nil {
		t.Fatal(err)
	}
	stop()
	<-desk.Stopped()
	// b and c, and what the desk said about each of them; a was done before.
	if d.decided != 4 {
		t.Errorf("the decider looked at %d messages, want 4", d.decided)
	}
	if n, err := desk.Pending(t.Context()); err != nil || n != 0 {
		t.Errorf("%d messages are neither worked nor let go; %v", n, err)
	}
}

// torn refuses a command on its first look, whose drafts are not taken, and
// carries it out on the second.
type torn struct {
	echo
	t    *testing.T
	l    *Ledger
	look int
}

func (d *torn) Decide(v *View, items []*Item) ([]Draft, error) {
	d.look++
	if d.look == 1 {
		// Somebody is faster than this look.
		place := v.Place("lead.a")
		if _, err := d.l.Say(d.t.Context(), "intake", func(string) Place { return place }, noon, Draft{Subject: "lead.a", Cause: "faster", Body: &leadv1.PersonAttached{PersonId: "p", MatchedBy: "new"}}); err != nil {
			return nil, err
		}
		items[0].Err = fault.New(fault.State, "not now")
	}
	return []Draft{{Subject: "lead.a", Cause: "cmd:x", Body: &leadv1.QualificationHeld{Rule: "test", Text: "held by a test"}}}, nil
}

// A command is answered by the look that was taken, not by one that was not.
func TestCommandIsAnsweredByTheLookThatCounts(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	if err := l.follower.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d := &torn{t: t, l: l}
	desk, err := l.Desk(ctx, d, DeskConfig{})
	if err != nil {
		t.Fatal(err)
	}
	seq, err := desk.Do(t.Context(), &Item{Lead: "a", Command: "hold", Cause: "cmd:x"})
	if err != nil || seq != 4 || d.look != 2 {
		t.Errorf("after %d looks the command was answered with %d, %v", d.look, seq, err)
	}
	stop()
	<-desk.Stopped()
}

func delivery(id string) *intakev1.Delivery {
	return &intakev1.Delivery{DeliveryId: id, SourceId: "s", ReceivedAt: timestamppb.New(noon), Digest: make([]byte, 32)}
}

// A record of deliveries is let go only when all of them have their outcome.
func TestIntakeAckComesLast(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	if err := door.Keep(t.Context(), delivery("d1")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var mu sync.Mutex
	var seen []uint64
	worker, err := l.Intake(ctx, func(_ context.Context, kept []Kept) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, kept[0].Seq)
		if len(seen) == 1 {
			return fault.New(fault.Unavailable, "not yet")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing of INTAKE waits", func() bool { return worker.Idle(t.Context()) })
	stop()
	<-worker.Stopped()
	if !slices.Equal(seen, []uint64{1, 1}) {
		t.Errorf("a record that was not worked came as %v, want it twice", seen)
	}
}

// Nothing is acknowledged that did not reach the log.
func TestDoorAnswersAfterCommit(t *testing.T) {
	l, n, js := lossy(t, 300*time.Millisecond)
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	if err := door.Keep(t.Context(), delivery("d1")); err != nil {
		t.Fatal(err)
	}
	n.holdRequests()
	answer := make(chan error, 1)
	if d := door.Waiting(); d != 0 {
		t.Errorf("nothing waits for the disk, for %v", d)
	}
	go func() { answer <- door.Keep(t.Context(), delivery("d2")) }()
	<-n.held
	eventually(t, "the wait for the disk grows", func() bool { return door.Waiting() > 20*time.Millisecond })
	cutAnew(t, l, n)
	if err := <-answer; err == nil {
		t.Error("a delivery that never reached the log was acknowledged")
	}
	// The sender comes again, and finds the door working.
	eventually(t, "the delivery is kept", func() bool { return door.Keep(t.Context(), delivery("d2")) == nil })
	eventually(t, "nothing waits for the disk", func() bool { return door.Waiting() == 0 })
	stands(t, js, StreamIntake, 2)
}

// When the answer is lost, the door looks whether the record stands, and says so.
func TestDoorLooksWhenTheAnswerIsLost(t *testing.T) {
	l, n, js := lossy(t, 500*time.Millisecond)
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	n.holdAnswers()
	answer := make(chan error, 1)
	go func() { answer <- door.Keep(t.Context(), delivery("d1")) }()
	stands(t, js, StreamIntake, 1)
	n.cut()
	if err := <-answer; err != nil {
		t.Errorf("the record stands, and its sender was told: %v", err)
	}
	if err := door.Keep(t.Context(), delivery("d2")); err != nil {
		t.Errorf("the door does not go on after a lost answer: %v", err)
	}
}

// forge puts a record into LEDGER past the writer, signed as it should be.
func forge(t *testing.T, l *Ledger, d Draft, cites Place, recorded time.Time) {
	t.Helper()
	key, _ := l.keys.Private("intake")
	msg, _, err := encode(&d, "intake", key, cites, recorded)
	if err != nil {
		t.Fatal(err)
	}
	msg.Header[jetstream.ExpectedStreamHeader] = []string{StreamLedger}
	if _, err := l.place(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
}

// broken is a log in which the second event of lead a does not follow its first.
func broken(t *testing.T) *Ledger {
	t.Helper()
	l := open(t, t.TempDir(), Config{})
	events, err := l.Say(t.Context(), "intake", l.live, noon, received("a"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := Place{Seq: events[0].Seq, Hash: events[0].Hash}
	wrong.Hash[7] ^= 1
	forge(t, l, Draft{Subject: "lead.a", Cause: "x", Body: &leadv1.PersonAttached{PersonId: "p", MatchedBy: "new"}}, wrong, noon)
	return l
}

// An event that does not cite the one before it ends the folding, and nothing
// is written on top of it.
func TestChainIsChecked(t *testing.T) {
	l := broken(t)
	if err := l.follower.Wait(t.Context(), 3); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a broken chain was folded: %v", err)
	}
	if l.ReadOnly() == "" {
		t.Error("a log with a broken chain takes new events")
	}
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("b")); !fault.Is(err, fault.Corrupt) {
		t.Errorf("writing onto a broken log was answered with %v", err)
	}
}

// A history with a hole is not served.
func TestHistoryIsChecked(t *testing.T) {
	l := broken(t)
	if _, err := l.History(t.Context(), "lead.a"); !fault.Is(err, fault.Corrupt) {
		t.Errorf("a history whose chain is broken was served: %v", err)
	}
}

// stored reads one record of LEDGER.
func stored(t *testing.T, l *Ledger, seq uint64) *Record {
	t.Helper()
	var out *Record
	if err := l.Read(t.Context(), StreamLedger, seq, seq, func(r *Record) error { out = r; return nil }, func(seq uint64, why string) error {
		return errors.New(why)
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A record is its writer's own words, or it does not verify.
func TestSignatureIsChecked(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	public := map[string]ed25519.PublicKey{}
	for service := range writers {
		key, _ := l.keys.Private(service)
		public[service] = key.Public().(ed25519.PublicKey)
	}
	if err := stored(t, l, 2).Verify(public); err != nil {
		t.Fatalf("a genuine record does not verify: %v", err)
	}
	key, _ := l.keys.Private("routing")
	foreign := func(r *Record) {
		// Routing signs properly what is not its to say.
		h := nats.Header(r.Header)
		h[hSource] = []string{sourcePrefix + "routing"}
		resign(r, key)
	}
	for name, change := range map[string]func(r *Record){
		"the body":            func(r *Record) { r.Body[len(r.Body)-1] ^= 1 },
		"the subject":         func(r *Record) { r.Subject = "lead.b" },
		"a header":            func(r *Record) { r.Header[hRecorded] = []string{noon.Add(-time.Hour).Format(timeFormat)} },
		"a header more":       func(r *Record) { r.Header["ce-actor"] = append(r.Header["ce-actor"], "x") },
		"the signature":       func(r *Record) { r.Header[hSignature] = []string{"AAAA"} },
		"another's key":       func(r *Record) { resign(r, key) },
		"another's words":     foreign,
		"a service unheard":   func(r *Record) { r.Header[hSource] = []string{sourcePrefix + "nobody"} },
		"no signature at all": func(r *Record) { delete(r.Header, hSignature) },
	} {
		r := stored(t, l, 2)
		change(r)
		if err := r.Verify(public); !fault.Is(err, fault.Corrupt) {
			t.Errorf("%s was changed, and the record verifies: %v", name, err)
		}
	}
}

func resign(r *Record, key ed25519.PrivateKey) {
	digest := signingDigest(r.Subject, nats.Header(r.Header), r.Body)
	r.Header[hSignature] = []string{base64.StdEncoding.EncodeToString(ed25519.Sign(key, digest[:]))}
}

// A clock that goes back does not take the log with it.
func TestRecordedTimeNeverGoesBack(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	if err := l.follower.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	attached := func(id string) Draft {
		return Draft{Subject: "lead.a", Cause: id, Body: &leadv1.PersonAttached{PersonId: id, MatchedBy: "new"}}
	}
	events, err := l.Say(t.Context(), "intake", l.live, noon.Add(-time.Hour), attached("p"), attached("q"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Recorded.Before(noon) {
			t.Errorf("an event is recorded at %v, its predecessor at %v", e.Recorded, noon)
		}
	}
}

// judge decides on top of what it saw, under a name of its logic.
type judge struct{ echo }

func (j *judge) Decide(v *View, items []*Item) ([]Draft, error) {
	drafts, err := j.echo.Decide(v, items)
	for i := range drafts {
		drafts[i].Logic = "test/1"
	}
	return drafts, err
}

// A decision names the prefix that it was made on.
func TestBasisIsWhatWasFolded(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	desk, err := l.Desk(ctx, &judge{}, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		events, err := l.Say(t.Context(), "intake", l.live, noon, received(id))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Settle(t.Context(), desk.Idle); err != nil {
			t.Fatal(err)
		}
		history, err := l.History(t.Context(), lead.SubjectOf(id))
		if err != nil || len(history) != 2 {
			t.Fatalf("%d events, %v", len(history), err)
		}
		if history[0].Basis != 0 || history[1].Basis != events[0].Seq {
			t.Errorf("the decision on record %d names %d as what it saw, and the fact %d", events[0].Seq, history[1].Basis, history[0].Basis)
		}
	}
	stop()
	<-desk.Stopped()
}

// What a signed checkpoint promises is compared when the log is opened.
func TestCheckpointIsCompared(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, l *Ledger, dir string) (open string){
		"another root": func(t *testing.T, l *Ledger, dir string) string {
			c, err := l.sign(StreamLedger, 2, tlog.Hash{1})
			if err != nil {
				t.Fatal(err)
			}
			if err := writeOutside(l.cfg.Outside, c); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"an end that was cut off": func(t *testing.T, l *Ledger, dir string) string {
			c, err := l.sign(StreamLedger, 9, tlog.Hash{1})
			if err != nil {
				t.Fatal(err)
			}
			if err := writeOutside(l.cfg.Outside, c); err != nil {
				t.Fatal(err)
			}
			return dir
		},
		"an empty directory": func(t *testing.T, l *Ledger, _ string) string {
			if _, err := l.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			return t.TempDir()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), t.TempDir()
			l := open(t, dir, Config{Outside: outside})
			if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
				t.Fatal(err)
			}
			if err := l.follower.Wait(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			dir = spoil(t, l, dir)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			again := open(t, dir, Config{Outside: outside})
			if again.ReadOnly() == "" {
				t.Error("a log that does not fit its checkpoint takes new events")
			}
		})
	}
}

// Below the floor of free space nothing is taken, and nothing is half taken.
func TestFloorIsKept(t *testing.T) {
	l := open(t, t.TempDir(), Config{})
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	defer door.Close()
	l.cfg.FreeFloor = 1 << 62
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); !fault.Is(err, fault.Full) {
		t.Errorf("below the floor an event was answered with %v", err)
	}
	if err := door.Keep(t.Context(), delivery("d1")); !fault.Is(err, fault.Full) {
		t.Errorf("below the floor a delivery was answered with %v", err)
	}
}

// Who follows the log outlives a line that is down, and the log is not called
// damaged for it.
func TestFollowerOutlivesACutLine(t *testing.T) {
	l, n, _ := lossy(t, publishTimeout)
	n.refuse(true)
	n.cut()
	eventually(t, "the line is down", func() bool { return !l.nc.IsConnected() })
	heard := make(chan string, 10)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- l.Follow(ctx, 1, func(e *Event) error { heard <- e.Subject; return nil })
	}()
	hears := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %s, want %s", got, want)
			}
		case err := <-ended:
			t.Fatalf("the follower gave up: %v", err)
		}
	}
	n.refuse(false)
	hears(SubjectSelf)
	if _, err := l.Write(t.Context(), "intake", once("a")); err != nil {
		t.Fatal(err)
	}
	hears("lead.a")
	if why := l.ReadOnly(); why != "" {
		t.Errorf("the line was down, and the log is called damaged: %s", why)
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the follower ended with %v", err)
	}
}

// Closing leaves nothing running.
func TestCloseLeavesNothingRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	l, err := Open(t.Context(), Config{Dir: t.TempDir(), Outside: t.TempDir(), Name: "test", FreeFloor: 1, Clock: clock.NewVirtual(noon)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	desk, err := l.Desk(ctx, &echo{}, DeskConfig{Durable: "qualification", Subjects: []string{"lead.*"}})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := l.Intake(ctx, func(context.Context, []Kept) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	door, err := l.Door()
	if err != nil {
		t.Fatal(err)
	}
	var projecting sync.WaitGroup
	projecting.Go(func() { _ = l.Project(ctx, 1, func(context.Context, []*Event) error { return nil }) })
	projecting.Go(func() { l.KeepCheckpoints(ctx, 1, time.Hour) })
	if err := door.Keep(t.Context(), delivery("d1")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Say(t.Context(), "intake", l.live, noon, received("a")); err != nil {
		t.Fatal(err)
	}
	if err := l.Settle(t.Context(), desk.Idle, worker.Idle); err != nil {
		t.Fatal(err)
	}
	door.Close()
	stop()
	<-desk.Stopped()
	<-worker.Stopped()
	projecting.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}
