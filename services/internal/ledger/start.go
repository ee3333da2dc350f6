package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// SubjectSelf holds what the log says about itself.
const SubjectSelf = "org.ledger.main"

// start brings the log to life: its first event, its checkpoints, its fold.
func (l *Ledger) start(ctx context.Context, folds []Fold) error {
	last, err := l.Last(ctx, StreamLedger)
	if err != nil {
		return err
	}
	outside, err := l.outsidePoints()
	if err != nil {
		return err
	}
	if last == 0 && len(outside) > 0 {
		l.damage("LEDGER is empty, but a checkpoint outside the data directory (%s) speaks of one; restore the backup, or move the checkpoints away to begin anew", l.cfg.Outside)
		l.follower = &Follower{l: l, places: map[string]Place{}}
		l.follower.end(errClosed)
		return nil
	}
	if last == 0 {
		if last, err = l.bear(ctx); err != nil {
			return err
		}
	}
	if err := l.identify(ctx); err != nil {
		return err
	}
	if err := l.expectPoints(ctx, outside); err != nil {
		return err
	}
	if err := l.catchUp(ctx, folds, last); err != nil || l.ReadOnly() != "" {
		return err
	}
	return l.welcome(ctx)
}

// welcome lets services write that were not there yet when the log was opened. Several
// processes may do so at once; each is let in once.
func (l *Ledger) welcome(ctx context.Context) error {
	for {
		events, err := l.History(ctx, SubjectSelf)
		if err != nil || len(events) == 0 {
			return err
		}
		known := map[string]bool{}
		for _, e := range events {
			switch b := e.Body.(type) {
			case *auditv1.LedgerOpened:
				for _, k := range b.GetKeys() {
					known[k.GetService()] = true
				}
			case *auditv1.ServiceKeyAdded:
				known[b.GetKey().GetService()] = true
			}
		}
		var drafts []Draft
		for _, service := range slices.Sorted(maps.Keys(writers)) {
			if known[service] || l.cfg.Born != nil && !slices.Contains(l.cfg.Born, service) {
				continue
			}
			drafts = append(drafts, Draft{Subject: SubjectSelf, Body: &auditv1.ServiceKeyAdded{Key: l.serviceKey(service)}, Cause: "key:" + service})
		}
		last := events[len(events)-1]
		said, err := l.Say(ctx, "audit", func(string) Place { return Place{Seq: last.Seq, Hash: last.Hash, Recorded: last.Recorded} }, l.clock.Now(), drafts...)
		if fault.Is(err, fault.Conflict) {
			continue
		}
		if err == nil && len(said) > 0 {
			err = l.follower.Wait(ctx, said[len(said)-1].Seq)
		}
		return err
	}
}

func (l *Ledger) serviceKey(service string) *auditv1.ServiceKey {
	key, _ := l.keys.Private(service)
	return &auditv1.ServiceKey{Service: service, PublicKey: key.Public().(ed25519.PublicKey)}
}

// bear writes the first event: the log's id and the keys of who may write.
func (l *Ledger) bear(ctx context.Context) (uint64, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return 0, err
	}
	opened := &auditv1.LedgerOpened{LedgerId: lead.ID("", raw), OpenedAt: timestamppb.New(l.clock.Now())}
	for _, service := range slices.Sorted(maps.Keys(writers)) {
		if l.cfg.Born == nil || slices.Contains(l.cfg.Born, service) {
			opened.Keys = append(opened.Keys, l.serviceKey(service))
		}
	}
	_, err := l.Say(ctx, "audit", func(string) Place { return Place{} }, l.clock.Now(), Draft{Subject: SubjectSelf, Body: opened, Cause: "birth:" + opened.GetLedgerId()})
	if err != nil && !fault.Is(err, fault.Conflict) {
		return 0, err
	}
	return l.Last(ctx, StreamLedger)
}

// identify reads the first event and checks that our keys are this log's.
func (l *Ledger) identify(ctx context.Context) error {
	opened, err := l.Opened(ctx)
	if err != nil {
		l.damage("the first record of LEDGER cannot be read: %v", err)
		return nil
	}
	l.id = opened.GetLedgerId()
	for _, k := range opened.GetKeys() {
		own, ok := l.keys.Private(k.GetService())
		if ok && !own.Public().(ed25519.PublicKey).Equal(ed25519.PublicKey(k.GetPublicKey())) {
			return fault.New(fault.Denied, "the signing key of %s in %s does not belong to this log; restore the log's own keys", k.GetService(), l.keys.dir)
		}
	}
	return nil
}

// Opened is the log's first event.
func (l *Ledger) Opened(ctx context.Context) (*auditv1.LedgerOpened, error) {
	var opened *auditv1.LedgerOpened
	err := l.Read(ctx, StreamLedger, 1, 1, func(r *Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		var ok bool
		if opened, ok = e.Body.(*auditv1.LedgerOpened); !ok {
			return fault.New(fault.Corrupt, "the first record of LEDGER is a %s, not the log's opening", e.Type)
		}
		return nil
	}, func(_ uint64, why string) error {
		return fault.New(fault.Corrupt, "record 1 of LEDGER cannot be read: %s", why)
	})
	return opened, err
}

func (l *Ledger) outsidePoints() (map[string]string, error) {
	out := map[string]string{}
	for _, stream := range []string{StreamLedger, StreamIntake} {
		text, err := l.OutsideNote(stream)
		if err != nil {
			return nil, fault.New(fault.Unavailable, "the checkpoint of %s outside the data directory cannot be read: %w", stream, err)
		}
		if text != "" {
			out[stream] = text
		}
	}
	return out, nil
}

// expectPoints tells the trees which roots signed checkpoints promise.
func (l *Ledger) expectPoints(ctx context.Context, outside map[string]string) error {
	l.pointed = map[string]Checkpoint{}
	key, _ := l.keys.Private("audit")
	verifier, err := Verifier(l.id, key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	for _, stream := range []string{StreamLedger, StreamIntake} {
		notes, err := l.Notes(ctx, stream)
		if err != nil {
			l.damage("the checkpoints of %s cannot be read: %v", stream, err)
		}
		if text, ok := outside[stream]; ok {
			notes = append(notes, text)
		}
		last, err := l.Last(ctx, stream)
		if err != nil {
			return err
		}
		for _, text := range notes {
			c, err := OpenCheckpoint(text, verifier, l.id, stream)
			if err != nil {
				l.damage("%v", err)
				continue
			}
			l.trees[stream].expect[c.Size] = c.Root
			if c.Size > l.pointed[stream].Size {
				l.pointed[stream] = c
			}
			if c.Size > int64(last) {
				l.damage("%s ends at record %d, but a signed checkpoint speaks of %d: its end was cut off", stream, last, c.Size)
			}
		}
	}
	return nil
}

// catchUp folds both streams up to where they end now, and goes on from there.
func (l *Ledger) catchUp(ctx context.Context, folds []Fold, last uint64) error {
	l.follower = &Follower{l: l, places: map[string]Place{}}
	for _, fold := range folds {
		r := resumed{Fold: fold}
		if kept, ok := fold.(Resumer); ok {
			var err error
			if r.from, err = kept.Resume(ctx, l); err != nil {
				return err
			}
		}
		l.follower.folds = append(l.follower.folds, r)
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	l.stops = append(l.stops, func() { stop(); group.Wait() })
	group.Go(func() { l.follower.run(run) })

	lastIn, err := l.Last(ctx, StreamIntake)
	if err != nil {
		return err
	}
	reached := make(chan struct{})
	if lastIn == 0 {
		close(reached)
	}
	group.Go(func() { l.followIntake(run, lastIn, reached) })

	if err := l.follower.Wait(ctx, last); err != nil && l.ReadOnly() == "" {
		return errors.Join(fault.New(fault.Unavailable, "ledger: the log could not be folded"), err)
	}
	select {
	case <-reached:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// followIntake keeps the tree over INTAKE; reached closes once it holds target
// records, or never will.
func (l *Ledger) followIntake(ctx context.Context, target uint64, reached chan struct{}) {
	tree := l.trees[StreamIntake]
	open := target > 0
	done := func() {
		if open {
			open = false
			close(reached)
		}
	}
	defer done()
	for ctx.Err() == nil {
		err := l.Read(ctx, StreamIntake, tree.next(), 0, func(r *Record) error {
			if err := tree.add(r.Seq, r.Hash()); err != nil {
				return err
			}
			if r.Seq >= target {
				done()
			}
			return nil
		}, func(seq uint64, why string) error {
			return fault.New(fault.Corrupt, "record %d of INTAKE cannot be read: %s", seq, why)
		})
		if fault.Is(err, fault.Corrupt) {
			l.damage("%v", err)
			return
		}
		l.again(ctx, StreamIntake, err)
	}
}
