package main

import (
	"container/heap"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/telemetry"
)

// stage is the whole system on a clock of its own, and a calendar of what happens
// to it: what is played on it takes as long as the work, not as long as the days.
type stage struct {
	app      *App
	clock    *clock.Virtual
	progress io.Writer
	admin    string
	tokens   map[string]string
	keys     map[string]ed25519.PrivateKey
	client   *http.Client

	queue acts
	order int
	// events are what the system says, seen how far they were read, heard what is done
	// about each.
	events chan *leadv1.HistoryEntry
	seen   uint64
	heard  func(*leadv1.HistoryEntry) error

	sent, acknowledged, turnedAway int
	shown                          time.Time
	// counts says how far the play is.
	counts func() string
}

func newStage(start time.Time, progress io.Writer) *stage {
	return &stage{
		clock: clock.NewVirtual(start), progress: progress, tokens: map[string]string{}, keys: map[string]ed25519.PrivateKey{},
		client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
}

// raise starts the system on the stage's clock and begins to hear it.
func (s *stage) raise(ctx context.Context, c Config, heard func(*leadv1.HistoryEntry) error, counts func() string) error {
	c.clock, c.HTTP, c.Metrics, c.FreeFloor, c.Retention = s.clock, "127.0.0.1:0", "-", 64, 30
	c.telemetry = telemetry.Config{LogLevel: slog.LevelError, Version: version}
	app, err := Start(ctx, c)
	if err != nil {
		return err
	}
	s.app, s.admin, s.heard, s.counts = app, app.admin, heard, counts
	if err := s.watch(ctx); err != nil {
		return errors.Join(err, app.Stop(context.WithoutCancel(ctx)))
	}
	return nil
}

// act is something that happens at an instant.
type act struct {
	at    time.Time
	order int
	do    func(context.Context) error
	// together marks deliveries: those of one instant are sent at once.
	together bool
}

type acts []*act

func (a acts) Len() int { return len(a) }
func (a acts) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].order < a[j].order
}
func (a acts) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *acts) Push(x any)   { *a = append(*a, x.(*act)) }
func (a *acts) Pop() any {
	old := *a
	x := old[len(old)-1]
	*a = old[:len(old)-1]
	return x
}

func (s *stage) at(t time.Time, do func(context.Context) error) {
	s.order++
	heap.Push(&s.queue, &act{at: t, order: s.order, do: do})
}

// deliver puts a delivery to the door into the calendar.
func (s *stage) deliver(t time.Time, d knock) {
	s.order++
	heap.Push(&s.queue, &act{at: t, order: s.order, together: true, do: func(context.Context) error {
		status, err := d.send(s.client, "http://"+s.app.HTTPAddr)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return fmt.Errorf("the door answered %d to a good form", status)
		}
		return nil
	}})
}

// as is the context of a call by a member, or by the operator.
func (s *stage) as(ctx context.Context, handle string) context.Context {
	if handle == "" {
		return access.WithToken(ctx, s.admin)
	}
	return access.WithToken(ctx, s.tokens[handle])
}

func (s *stage) conn() grpc.ClientConnInterface { return s.app.conn }

// public is the key by which a party's signatures are checked.
func (s *stage) public(party string) ed25519.PublicKey {
	if s.keys[party] == nil {
		// What is random comes from the system and does not fail.
		_, key, _ := ed25519.GenerateKey(nil)
		s.keys[party] = key
	}
	return s.keys[party].Public().(ed25519.PublicKey)
}

// sign proposes a document and lets both parties sign it.
func (s *stage) sign(ctx context.Context, document []byte) error {
	service := agreementv1.NewAgreementServiceClient(s.conn())
	proposed, err := service.Propose(s.as(ctx, ""), &agreementv1.ProposeRequest{Document: document})
	if err != nil {
		return access.FaultOf(err)
	}
	for _, party := range []string{agreement.Marketing, agreement.Sales} {
		if _, err = service.Sign(s.as(ctx, ""), &agreementv1.SignRequest{
			Version: proposed.GetVersion(), Party: party, Digest: proposed.GetDigest(), PublicKey: s.public(party),
			Signature: ed25519.Sign(s.keys[party], agreement.SignedText(proposed.GetDigest())),
		}); err != nil {
			return access.FaultOf(err)
		}
	}
	return nil
}

// watch hears what the system says, as any program outside could.
func (s *stage) watch(ctx context.Context) error {
	s.events = make(chan *leadv1.HistoryEntry, 4096)
	stream, err := leadv1.NewLeadServiceClient(s.conn()).WatchEvents(s.as(ctx, ""), &leadv1.WatchEventsRequest{FromSequence: 1})
	if err != nil {
		return access.FaultOf(err)
	}
	go func() {
		for {
			e, err := stream.Recv()
			if err != nil {
				close(s.events)
				return
			}
			s.events <- e
		}
	}()
	return nil
}

// perform moves the clock from one thing that happens to the next, until the end.
func (s *stage) perform(ctx context.Context, end time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		var next time.Time
		if len(s.queue) > 0 {
			next = s.queue[0].at
		}
		if due, ok := s.clock.Next(); ok && (next.IsZero() || due.Before(next)) {
			next = due
		}
		if next.IsZero() || next.After(end) {
			s.clock.Set(end)
			return s.app.Settle(ctx)
		}
		s.clock.Set(next)
		if err := s.happen(ctx, next); err != nil {
			return err
		}
		if err := s.app.Settle(ctx); err != nil {
			return err
		}
		if err := s.hear(ctx); err != nil {
			return err
		}
		s.tell(next)
	}
}

// happen does everything that is due: deliveries of the same instant together,
// as they would come.
func (s *stage) happen(ctx context.Context, now time.Time) error {
	var together sync.WaitGroup
	errs := make(chan error, 1+len(s.queue))
	for len(s.queue) > 0 && !s.queue[0].at.After(now) {
		a := heap.Pop(&s.queue).(*act)
		if a.together {
			s.sent++
			together.Go(func() { errs <- a.do(ctx) })
			continue
		}
		if err := a.do(ctx); err != nil {
			return access.FaultOf(err)
		}
	}
	together.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			s.turnedAway++
			s.say("%v", err)
			continue
		}
		s.acknowledged++
	}
	return nil
}

// hear reads what was said up to now and lets the people answer.
func (s *stage) hear(ctx context.Context) error {
	for target := s.app.log.Follower().Pos(); s.seen < target; {
		select {
		case e, ok := <-s.events:
			if !ok {
				return errors.New("the stream of events ended before the play did")
			}
			s.seen = e.GetSequence()
			if err := s.heard(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (s *stage) say(format string, args ...any) {
	if isTerminal(s.progress) {
		fmt.Fprint(s.progress, "\r\x1b[K")
	}
	fmt.Fprintf(s.progress, format+"\n", args...)
}

// tell shows how far the play is.
func (s *stage) tell(now time.Time) {
	line := fmt.Sprintf("%s  sent %d  acknowledged %d  %s", now.Format("Mon 2006-01-02 15:04"), s.sent, s.acknowledged, s.counts())
	if isTerminal(s.progress) {
		fmt.Fprint(s.progress, "\r\x1b[K"+line)
		return
	}
	if day := now.Truncate(24 * time.Hour); day.After(s.shown) {
		s.shown = day
		fmt.Fprintln(s.progress, line)
	}
}

// stay keeps the system up after the play, its clock going on from there.
func (s *stage) stay(ctx context.Context, out io.Writer) error {
	var f facts
	f.add("Console", "http://"+s.app.ConsoleAddr+"/signin")
	f.add("Token", s.admin)
	f.add("Door", "http://"+s.app.HTTPAddr+"/hooks/web")
	f.add("gRPC", s.app.GRPCAddr)
	fmt.Fprintln(out)
	_ = f.write(out)
	fmt.Fprintf(out, "\nFor the command line, in another terminal:\n\n  export BATON_SERVER=%s BATON_TOKEN=%s\n  baton report scoreboard\n", s.app.GRPCAddr, s.admin)
	fmt.Fprintln(out, "\nLook around. Ctrl-C ends the demo and removes its data.")
	from, began := s.clock.Now(), time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.clock.Set(from.Add(time.Since(began)))
		case <-ctx.Done():
			return nil
		}
	}
}
