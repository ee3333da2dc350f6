//go:build real

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/audit"
	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

const (
	// stormCapacity is small, so that everybody is full most of the time.
	stormCapacity = 3
	// stormSenders are connections that send forms, each one after the other.
	stormSenders = 6
	// stormPace is the time between two forms of one sender.
	stormPace = 40 * time.Millisecond
	// stormPatience bounds every wait of the test; a system that needs longer
	// is stuck.
	stormPatience = 90 * time.Second
)

var stormMembers = []string{"ana", "ben", "chloe", "dan"}

// TestKillStorm kills the real program at random moments, under load, and starts
// it again on the same directory. What it had acknowledged must be there, once;
// what it decided must follow from the log; nobody may ever hold more than the
// agreement lets them.
//
//	BATON_STORM_KILLS  how often it is killed (5)
//	BATON_STORM_SEED   repeats the moments and what people do, though not the
//	                   machine's own order of things
func TestKillStorm(t *testing.T) {
	kills := stormNumber(t, "BATON_STORM_KILLS", 5)
	seed := uint64(stormNumber(t, "BATON_STORM_SEED", int(time.Now().UnixNano()&0x7fffffff)))
	t.Logf("%d kills, BATON_STORM_SEED=%d", kills, seed)

	s := newStorm(t, seed, stormBuild(t))
	s.start(t)
	s.open(t)
	s.agree(t)
	s.hire(t)

	load, calm := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for n := range stormSenders {
		busy.Go(func() { s.send(load, n) })
	}
	busy.Go(func() { s.watch(load) })
	for i, member := range stormMembers {
		busy.Go(func() { s.work(load, i, member) })
	}
	began := time.Now()
	rng := rand.New(rand.NewPCG(seed, 1))
	var ready []time.Duration
	for s.killed < kills {
		moment := time.Duration(100+rng.IntN(500)) * time.Millisecond
		stormWait(t.Context(), moment)
		s.kill(t)
		// Now and then it dies again while it still comes to life.
		if s.killed < kills && s.killed%4 == 3 {
			s.launch(t)
			stormWait(t.Context(), time.Duration(rng.IntN(150))*time.Millisecond)
			s.kill(t)
		}
		ready = append(ready, s.start(t))
	}
	// What was in hand when the last kill came goes on under load as well.
	s.progress(t, kills)
	calm()
	busy.Wait()
	under := time.Since(began)

	settling := time.Now()
	s.settle(t)
	settled := time.Since(settling)
	v := s.verify(t)
	s.stop(t)

	slices.Sort(ready)
	t.Logf("storm: %d kills in %.1f s; %d forms acknowledged (%d sent again, %d without an answer), %d leads, %d offers, %d accepted, %d rejected, %d closed; fullest load %d of %d; %d decisions derived again; start to ready %v median, %v slowest; settled %v after the load",
		s.killed, under.Seconds(), len(s.acked), s.repeats.Load(), s.unanswered.Load(), len(v.received), v.offers, v.accepts, v.rejects, v.closed,
		v.peak, stormCapacity, v.result.Decisions, ready[len(ready)/2].Round(time.Millisecond), ready[len(ready)-1].Round(time.Millisecond), settled.Round(time.Millisecond))
	t.Logf("start to ready after each kill: %v", ready)
}

func stormNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is not a number of at least 1", name, text)
	}
	return n
}

// stormWait lets the load run for a while. Nothing is ever waited for this way.
func stormWait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// storm is a program that is killed again and again, and its clients.
type storm struct {
	binary, data   string
	httpAddr, gRPC string
	seed           uint64
	conn           grpc.ClientConnInterface
	admin          string
	tokens         map[string]string

	process *exec.Cmd
	said    *stormTail
	exited  chan stormExit
	killed  int

	// more are further arguments at each start.
	more []string

	// agreed are further changes of the starter agreement, clocks what is added to it.
	agreed map[string]string
	clocks string

	// offered are the leads offered to each member, as watched up to seen; heard is
	// told of every event that is watched.
	offered map[string]chan string
	seen    uint64
	heard   func(*leadv1.HistoryEntry)

	// What the clients know of what they did.
	forms, acknowledged, repeats, unanswered, accepted, rejected, closed atomic.Int64

	mu       sync.Mutex
	acked    []stormAck
	mistakes []string
}

// stormExit is how a process ended.
type stormExit struct{ err error }

// stormAck is one 200 as a sender noted it.
type stormAck struct{ submission, delivery string }

// stormBuild builds the program.
func stormBuild(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "baton")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program cannot be built: %v\n%s", err, out)
	}
	return binary
}

func newStorm(t *testing.T, seed uint64, binary string) *storm {
	t.Helper()
	s := &storm{
		binary: binary, data: filepath.Join(t.TempDir(), "data"), seed: seed, heard: func(*leadv1.HistoryEntry) {},
		httpAddr: stormPort(t), gRPC: stormPort(t), tokens: map[string]string{}, offered: map[string]chan string{},
	}
	for _, member := range stormMembers {
		s.offered[member] = make(chan string, 1<<16)
	}
	t.Cleanup(func() {
		if s.process != nil {
			_ = s.process.Process.Kill()
			<-s.exited
		}
	})
	return s
}

// stormPort is an address that was free a moment ago. It lies below those that
// connections get by themselves, or a client that asks while the program is
// dead could take it.
func stormPort(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(10000))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no port of a hundred is free")
	return ""
}

// stormTail keeps the end of what a process says and hears when it is ready.
type stormTail struct {
	mu    sync.Mutex
	lines []string
	ready chan struct{}
}

func (o *stormTail) line(text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lines = append(o.lines, text); len(o.lines) > 40 {
		o.lines = o.lines[1:]
	}
	if strings.HasPrefix(text, "Ready.") {
		close(o.ready)
	}
}

func (o *stormTail) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.lines, "\n")
}

// launch starts the program and does not wait for it.
func (s *storm) launch(t *testing.T) {
	t.Helper()
	args := []string{"--data", s.data, "--http", s.httpAddr, "--grpc", s.gRPC, "--console", "-", "--metrics", "-", "--free-floor", "1"}
	s.process, s.said, s.exited = stormRun(t, s.binary, append(args, s.more...)...)
}

// stormRun runs `baton up` and does not wait for it.
func stormRun(t *testing.T, binary string, args ...string) (*exec.Cmd, *stormTail, chan stormExit) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"up"}, args...)...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BATON_") && !strings.HasPrefix(v, "OTEL_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := &stormTail{ready: make(chan struct{})}
	exited := make(chan stormExit, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			said.line(lines.Text())
		}
		exited <- stormExit{cmd.Wait()}
	}()
	return cmd, said, exited
}

// start starts the program and answers how long it took to be ready.
func (s *storm) start(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	s.launch(t)
	select {
	case <-s.said.ready:
		return time.Since(began)
	case end := <-s.exited:
		s.process = nil
		t.Fatalf("the program ended instead of becoming ready (%v):\n%s", end.err, s.said)
	case <-time.After(stormPatience):
		t.Fatalf("the program was not ready within %v:\n%s", stormPatience, s.said)
	}
	return 0
}

// kill ends the program without a word.
func (s *storm) kill(t *testing.T) {
	t.Helper()
	select {
	case end := <-s.exited:
		s.process = nil
		t.Fatalf("the program ended by itself (%v):\n%s", end.err, s.said)
	default:
	}
	if err := s.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	s.process = nil
	s.killed++
}

// stop ends the program as an operator does.
func (s *storm) stop(t *testing.T) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case end := <-s.exited:
		s.process = nil
		if end.err != nil {
			t.Errorf("it did not stop well: %v\n%s", end.err, s.said)
		}
	case <-time.After(stormPatience):
		t.Errorf("it did not stop within %v:\n%s", stormPatience, s.said)
	}
}

// open connects a client that does not wait long for a program that comes back.
func (s *storm) open(t *testing.T) {
	t.Helper()
	var err error
	if s.admin, err = access.LoadAdminToken(s.data); err != nil {
		t.Fatal(err)
	}
	s.conn = stormConn(t, s.gRPC)
}

func stormConn(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(grpc.ConnectParams{
		Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond}, MinConnectTimeout: time.Second,
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (s *storm) as(ctx context.Context, member string) context.Context {
	if member == "" {
		return access.WithToken(ctx, s.admin)
	}
	return access.WithToken(ctx, s.tokens[member])
}

// agree brings the starter agreement into force, with everybody on duty at any
// hour and room for few leads each.
func (s *storm) agree(t *testing.T) {
	t.Helper()
	keys := map[string]ed25519.PrivateKey{}
	for _, party := range []string{"marketing", "sales"} {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		keys[party] = key
	}
	public := func(party string) ed25519.PublicKey { return keys[party].Public().(ed25519.PublicKey) }
	doc := agreement.Starter(agreement.StarterParams{MarketingKey: public("marketing"), SalesKey: public("sales"), Zone: "UTC", Members: stormMembers})
	changes := map[string]string{
		`fri: ["09:00-17:00"]`: "fri: [\"09:00-17:00\"]\n      sat: [\"09:00-17:00\"]\n      sun: [\"09:00-17:00\"]",
		"capacity: 50":         fmt.Sprintf("capacity: %d", stormCapacity),
		"capacity: 25":         fmt.Sprintf("capacity: %d", stormCapacity),
		"holidays: [2026-12-25, 2027-01-01, 2027-12-25, 2028-01-01]": "holidays: []",
	}
	maps.Copy(changes, s.agreed)
	for old, replacement := range changes {
		if bytes.Count(doc, []byte(old)) != 1 {
			t.Fatalf("the starter agreement does not hold %q once", old)
		}
		doc = bytes.Replace(doc, []byte(old), []byte(replacement), 1)
	}
	doc = append(bytes.ReplaceAll(doc, []byte("09:00-17:00"), []byte("00:00-24:00")), s.clocks...)
	service := agreementv1.NewAgreementServiceClient(s.conn)
	proposed, err := service.Propose(s.as(t.Context(), ""), &agreementv1.ProposeRequest{Document: doc})
	if err != nil {
		t.Fatal(err)
	}
	for party, key := range keys {
		if _, err := service.Sign(s.as(t.Context(), ""), &agreementv1.SignRequest{
			Version: proposed.GetVersion(), Party: party, Digest: proposed.GetDigest(), PublicKey: public(party),
			Signature: ed25519.Sign(key, agreement.SignedText(proposed.GetDigest())),
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *storm) hire(t *testing.T) {
	t.Helper()
	for _, member := range stormMembers {
		added, err := routingv1.NewRoutingServiceClient(s.conn).AddMember(s.as(t.Context(), ""), &routingv1.AddMemberRequest{Member: member, Roles: []string{access.Sales, access.Qualifier}})
		if err != nil {
			t.Fatal(err)
		}
		s.tokens[member] = added.GetToken()
	}
}

// send fills in forms over one connection until the load ends. A form with a
// key is sent until it is acknowledged, and now and then once more after that;
// one without a key is sent once, since its sender could not tell a repeat from
// another person's wish.
func (s *storm) send(ctx context.Context, n int) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	rng := rand.New(rand.NewPCG(s.seed, uint64(100+n)))
	for ctx.Err() == nil {
		number := s.forms.Add(1)
		keyed := rng.IntN(2) == 0
		form := stormForm(rng, number)
		key := ""
		if keyed {
			key = fmt.Sprintf("storm-%d", number)
		}
		acked := s.post(ctx, client, key, form)
		for keyed && !acked && ctx.Err() == nil {
			stormWait(ctx, stormPace)
			acked = s.post(ctx, client, key, form)
		}
		if keyed && acked && rng.IntN(5) == 0 {
			s.repeats.Add(1)
			s.post(ctx, client, key, form)
		}
		stormWait(ctx, stormPace)
	}
}

// stormForm is a form that meets the starter's profile.
func stormForm(rng *rand.Rand, number int64) string {
	employees := []string{"60", "150", "700"}[rng.IntN(3)]
	return url.Values{
		"first_name": {"Ada"}, "last_name": {fmt.Sprintf("Example%d", number)}, "email": {fmt.Sprintf("ada.%d@storm.example", number)},
		"company": {"Storm AG"}, "job_title": {"CEO"}, "country": {"DE"}, "employees": {employees}, "message": {"We look for a way to work faster together."},
	}.Encode()
}

// post sends a form once and notes the answer. What cuts the answer off leaves
// it open whether it was taken.
func (s *storm) post(ctx context.Context, client *http.Client, key, form string) bool {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, "http://"+s.httpAddr+"/hooks/web", strings.NewReader(form))
	if err != nil {
		s.mistake("a request cannot be made: %v", err)
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		s.unanswered.Add(1)
		return false
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return false
	default:
		s.mistake("the door answered %d to a good form", resp.StatusCode)
		return false
	}
	s.mu.Lock()
	s.acked = append(s.acked, stormAck{resp.Header.Get(intake.HeaderSubmission), resp.Header.Get(intake.HeaderDelivery)})
	s.mu.Unlock()
	s.acknowledged.Add(1)
	return true
}

func (s *storm) mistake(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mistakes) < 20 {
		s.mistakes = append(s.mistakes, fmt.Sprintf(format, args...))
	}
}

// watch hears what the system says and hands each offer to the member whom it
// is made to. Where it was cut off, it goes on.
func (s *storm) watch(ctx context.Context) {
	for ctx.Err() == nil {
		stream, err := leadv1.NewLeadServiceClient(s.conn).WatchEvents(s.as(ctx, ""), &leadv1.WatchEventsRequest{FromSequence: s.seen + 1})
		for err == nil {
			var e *leadv1.HistoryEntry
			if e, err = stream.Recv(); err != nil {
				break
			}
			if e.GetSequence() <= s.seen {
				s.mistake("event %d was watched after %d", e.GetSequence(), s.seen)
			}
			s.seen = e.GetSequence()
			s.heard(e)
			if e.GetType() == "baton.lead.v1.LeadOffered" {
				var o leadv1.LeadOffered
				if err := protojson.Unmarshal([]byte(e.GetJson()), &o); err != nil {
					s.mistake("an offer cannot be read: %v", err)
					continue
				}
				s.offered[o.GetMember()] <- e.GetLeadId()
			}
		}
		stormWait(ctx, 10*time.Millisecond)
	}
}

// work is one member: takes what is offered, declines some, and closes old
// leads so that there is room for new ones.
func (s *storm) work(ctx context.Context, n int, member string) {
	rng := rand.New(rand.NewPCG(s.seed, uint64(200+n)))
	desk := routingv1.NewRoutingServiceClient(s.conn)
	outcomes := feedbackv1.NewFeedbackServiceClient(s.conn)
	var own []string
	for ctx.Err() == nil {
		var id string
		select {
		case id = <-s.offered[member]:
		case <-ctx.Done():
			return
		}
		if rng.IntN(5) == 0 {
			reason := []string{"not-my-field", "no-time", "not-ready", "not-genuine"}[rng.IntN(4)]
			if s.ask(ctx, func(ctx context.Context) error {
				_, err := desk.Reject(s.as(ctx, member), &routingv1.RejectRequest{LeadId: id, Reason: reason, Note: "Said so on the phone."})
				return err
			}) {
				s.rejected.Add(1)
			}
			continue
		}
		if s.ask(ctx, func(ctx context.Context) error {
			_, err := desk.Accept(s.as(ctx, member), &routingv1.AcceptRequest{LeadId: id})
			return err
		}) {
			s.accepted.Add(1)
			own = append(own, id)
		}
		for len(own) >= stormCapacity-1 {
			first := own[0]
			own = own[1:]
			req := &feedbackv1.RecordOutcomeRequest{LeadId: first, IdempotencyKey: "close-" + first, Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 100, Currency: "EUR"}
			if rng.IntN(2) == 0 {
				req = &feedbackv1.RecordOutcomeRequest{LeadId: first, IdempotencyKey: "close-" + first, Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Reason: "price"}
			}
			if s.ask(ctx, func(ctx context.Context) error {
				_, err := outcomes.RecordOutcome(s.as(ctx, member), req)
				return err
			}) {
				s.closed.Add(1)
			}
		}
	}
}

// ask repeats a command until the system has answered it, and says whether it
// was carried out.
func (s *storm) ask(ctx context.Context, command func(context.Context) error) bool {
	for ctx.Err() == nil {
		err := access.FaultOf(command(ctx))
		switch {
		case err == nil:
			return true
		case fault.Is(err, fault.State), ctx.Err() != nil:
			// The offer was seen again after a cut: it is answered already.
			return false
		case fault.Is(err, fault.Unavailable):
			stormWait(ctx, 20*time.Millisecond)
		default:
			s.mistake("a command was refused: %v (%s)", err, fault.Of(err))
			return false
		}
	}
	return false
}

// progress returns once everything goes on after the last kill, and enough of
// it has happened for the storm to prove something.
func (s *storm) progress(t *testing.T, kills int) {
	t.Helper()
	acked, accepted := s.acknowledged.Load(), s.accepted.Load()
	s.until(t, "works again after the last kill", func() (bool, string) {
		more, took := s.acknowledged.Load()-acked, s.accepted.Load()-accepted
		enough := s.acknowledged.Load() >= int64(10*kills) && s.accepted.Load() >= int64(min(2*kills, 30)) && s.rejected.Load() > 0 && s.closed.Load() > 0
		return more > 0 && took > 0 && enough, fmt.Sprintf("%d forms and %d accepted offers since, %d rejected and %d closed in all", more, took, s.rejected.Load(), s.closed.Load())
	})
}

// until polls a condition, and ends the test when it takes too long.
func (s *storm) until(t *testing.T, what string, holds func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(stormPatience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, how := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v until it %s: %s\n%s", stormPatience, what, how, s.said)
		}
		<-tick.C
	}
}

// settle returns once nothing is pending and nothing more is said.
func (s *storm) settle(t *testing.T) {
	t.Helper()
	reports := feedbackv1.NewReportServiceClient(s.conn)
	var before uint64
	s.until(t, "has worked everything off", func() (bool, string) {
		st, err := reports.GetStatus(s.as(t.Context(), ""), &feedbackv1.GetStatusRequest{})
		if err != nil {
			return false, err.Error()
		}
		calm := st.GetIntakePending() == 0 && st.GetQualificationPending() == 0 && st.GetRoutingPending() == 0 &&
			st.GetReadSequence() == st.GetLedgerSequence() && st.GetLedgerSequence() == before
		before = st.GetLedgerSequence()
		return calm, st.String()
	})
	st, err := reports.GetStatus(s.as(t.Context(), ""), &feedbackv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if st.GetReadOnly() != "" {
		t.Fatalf("the log takes nothing new after the storm: %s", st.GetReadOnly())
	}
}

// stormVerdict is what the log itself says.
type stormVerdict struct {
	result                           *audit.Result
	received                         map[string]int // by submission
	outcomes                         map[string]int // by delivery
	leads                            map[string]*stormLead
	load                             map[string]int
	offers, accepts, rejects, closed int
	peak                             int
	clocks                           stormClocks
	last                             time.Time // The last event was recorded then.
	wrong                            []string
}

// stormLead is who has a lead, as this test reads the log.
type stormLead struct {
	offer            int32
	offeredTo, owner string
	// folded is the lead as the product reads the log.
	folded lead.State
}

func (v *stormVerdict) find(format string, args ...any) {
	if len(v.wrong) < 30 {
		v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
	}
}

// verify reads the whole log through the audit service and holds it against
// what the senders were told.
func (s *storm) verify(t *testing.T) *stormVerdict {
	t.Helper()
	v := &stormVerdict{received: map[string]int{}, outcomes: map[string]int{}, leads: map[string]*stormLead{}, load: map[string]int{}}
	client := auditv1.NewAuditServiceClient(s.conn)
	in, err := client.Replay(s.as(t.Context(), ""), &auditv1.ReplayRequest{Stream: ledger.StreamLedger})
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.Records(in, func(r *ledger.Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		v.fold(e)
		return nil
	}, func(seq uint64, why string) error {
		v.find("record %d cannot be read: %s", seq, why)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if v.result, err = audit.Verify(s.as(t.Context(), ""), audit.Remote{Client: client}, audit.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, f := range v.result.Findings {
		v.find("%s %d: %s", f.Stream, f.Seq, f.What)
	}
	if v.result.Unworked > 0 {
		v.find("%d deliveries have no outcome", v.result.Unworked)
	}
	lost, twice := 0, 0
	for _, a := range s.acked {
		if v.received[a.submission] == 0 {
			lost++
		}
		if n := v.outcomes[a.delivery]; n != 1 {
			v.find("delivery %s was acknowledged and has %d outcomes", a.delivery, n)
		}
	}
	for submission, n := range v.received {
		if n > 1 {
			twice++
			v.find("submission %s was received %d times", submission, n)
		}
	}
	v.ends()
	t.Logf("acknowledged %d, lost %d, received twice %d, decisions that differ %d", len(s.acked), lost, twice, v.result.Differ)
	if lost > 0 {
		v.find("%d of %d acknowledged submissions were never received", lost, len(s.acked))
	}
	// What members were told stands as well.
	if v.accepts < int(s.accepted.Load()) || v.rejects < int(s.rejected.Load()) || v.closed < int(s.closed.Load()) || v.result.Decisions == 0 {
		v.find("members were told of %d accepted, %d rejected, %d closed leads; the log holds %d, %d, %d", s.accepted.Load(), s.rejected.Load(), s.closed.Load(), v.accepts, v.rejects, v.closed)
	}
	if v.peak != stormCapacity {
		v.find("the fullest load was %d; the bound of %d was not reached, or not kept", v.peak, stormCapacity)
	}
	for _, what := range append(v.wrong, s.mistakes...) {
		t.Error(what)
	}
	return v
}

// fold holds one event against those before it.
func (v *stormVerdict) fold(e *ledger.Event) {
	v.last = e.Recorded
	if body, ok := e.Body.(*routingv1.PoolAdvanced); ok {
		v.steps(e.Seq, body)
	}
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return
	}
	l := v.leads[id]
	if l == nil {
		l = &stormLead{}
		v.leads[id] = l
	}
	l.folded.Evolve(e.Body, e.Occurred, e.Recorded)
	v.clocks.fold(v, id, e)
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		v.received[body.GetSubmissionId()]++
		v.outcomes[body.GetDelivery().GetDeliveryId()]++
	case *leadv1.SubmissionRepeated:
		v.outcomes[body.GetDelivery().GetDeliveryId()]++
	case *leadv1.SubmissionRevised:
		v.find("record %d: a form was taken for a revision, though none was changed", e.Seq)
	case *leadv1.TouchAdded:
		v.find("record %d: a form joined another person's lead", e.Seq)
	case *leadv1.HandlingFailed:
		v.find("record %d: %s set a lead aside: %s", e.Seq, body.GetService(), body.GetText())
	case *leadv1.LeadOffered:
		v.offers++
		if l.offeredTo != "" || l.owner != "" {
			v.find("record %d: lead %s is offered to %s while %s%s has it", e.Seq, id, body.GetMember(), l.offeredTo, l.owner)
		}
		if body.GetOffer() != l.offer+1 {
			v.find("record %d: lead %s has offer %d after offer %d", e.Seq, id, body.GetOffer(), l.offer)
		}
		l.offer, l.offeredTo = body.GetOffer(), body.GetMember()
	case *leadv1.OfferAccepted:
		v.accepts++
		if l.owner != "" || l.offeredTo != body.GetMember() || l.offer != body.GetOffer() {
			v.find("record %d: %s accepted offer %d of lead %s, which is offered to %q (offer %d) and owned by %q", e.Seq, body.GetMember(), body.GetOffer(), id, l.offeredTo, l.offer, l.owner)
		}
		l.owner, l.offeredTo = body.GetMember(), ""
	case *leadv1.OfferRejected:
		v.rejects++
		if l.owner+l.offeredTo != body.GetMember() {
			v.find("record %d: %s rejected lead %s, which %s%s has", e.Seq, body.GetMember(), id, l.owner, l.offeredTo)
		}
		l.owner, l.offeredTo = "", ""
	case *leadv1.OfferTimedOut:
		l.offeredTo = ""
	case *leadv1.LeadNurtured:
		l.owner, l.offeredTo = "", ""
	case *leadv1.OutcomeRecorded:
		if kind := body.GetKind(); kind == leadv1.OutcomeKind_OUTCOME_KIND_WON || kind == leadv1.OutcomeKind_OUTCOME_KIND_LOST {
			v.closed++
			l.owner, l.offeredTo = "", ""
		}
	}
}

// steps counts what everybody holds, at every step of the log.
func (v *stormVerdict) steps(seq uint64, body *routingv1.PoolAdvanced) {
	for _, step := range body.GetSteps() {
		m := step.GetMember()
		switch step.GetKind() {
		case routingv1.StepKind_STEP_KIND_OFFERED:
			v.load[m]++
		case routingv1.StepKind_STEP_KIND_RELEASED:
			v.load[m]--
		}
		v.peak = max(v.peak, v.load[m])
		if v.load[m] > stormCapacity || v.load[m] < 0 {
			v.find("record %d: %s holds %d leads of at most %d", seq, m, v.load[m], stormCapacity)
		}
	}
}

// ends holds the pool's books against the leads' own histories, and wants every
// lead decided: nothing was forgotten.
func (v *stormVerdict) ends() {
	held := map[string]int{}
	for id, l := range v.leads {
		switch l.folded.State {
		case leadv1.State_STATE_RECEIVED, leadv1.State_STATE_HELD, leadv1.State_STATE_QUALIFIED:
			v.find("lead %s is %s, and nobody will look at it again", id, lead.StateWord(l.folded.State))
		}
		if who := l.owner + l.offeredTo; who != "" {
			held[who]++
		}
	}
	for _, m := range stormMembers {
		if held[m] != v.load[m] {
			v.find("%s has %d leads by their histories, and %d by the pool's books", m, held[m], v.load[m])
		}
	}
}
