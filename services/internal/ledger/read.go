package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
)

// patience is how long a reader waits for a record that ought to be there
// before it asks for it by its number.
const patience = 2 * time.Second

// Read calls fn for every record of a stream from one sequence to another, in
// order, exactly as stored. to 0 goes on for ever, also over times at which the
// log is out of reach. A record that cannot be read does not stop the reader:
// missing hears of it.
func (l *Ledger) Read(ctx context.Context, stream string, from, to uint64, fn func(*Record) error, missing func(seq uint64, why string) error) error {
	if from == 0 {
		from = 1
	}
	next := from
	for to == 0 || next <= to {
		var err error
		next, err = l.readOn(ctx, stream, next, to, fn, missing)
		if away := (outOfReach{}); errors.As(err, &away) && to == 0 && ctx.Err() == nil && !l.nc.IsClosed() {
			// Out of reach is not damaged: who follows the log waits for it.
			if clock.Sleep(ctx, clock.Real{}, time.Now().Add(200*time.Millisecond)) == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// outOfReach marks a fault of the line to the log, which says nothing about what
// is in it.
type outOfReach struct{ error }

func (o outOfReach) Unwrap() error { return o.error }

// readOn reads until the end, an error, or a stall that it has stepped over.
func (l *Ledger) readOn(ctx context.Context, stream string, next, to uint64, fn func(*Record) error, missing func(uint64, string) error) (uint64, error) {
	consumer, err := l.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: next, MaxResetAttempts: -1,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return next, outOfReach{unreachable(ctx, err)}
	}
	iter, err := consumer.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return next, outOfReach{unreachable(ctx, err)}
	}
	defer iter.Stop()
	stopWatch := context.AfterFunc(ctx, iter.Stop)
	defer stopWatch()
	for to == 0 || next <= to {
		msg, err := iter.Next(jetstream.NextMaxWait(patience))
		switch {
		case ctx.Err() != nil:
			return next, ctx.Err()
		case errors.Is(err, nats.ErrTimeout):
			stalled, err := l.stalled(ctx, stream, next)
			if err != nil {
				return next, err
			}
			if !stalled {
				continue
			}
			return l.stepOver(ctx, stream, next, fn, missing)
		case errors.Is(err, jetstream.ErrMsgIteratorClosed) && l.nc.IsClosed():
			return next, errClosed
		case err != nil:
			return next, nil // made anew by the caller
		}
		meta, err := msg.Metadata()
		if err != nil {
			return next, unreachable(ctx, err)
		}
		for ; next < meta.Sequence.Stream; next++ {
			if to != 0 && next > to {
				return next, nil
			}
			if err := missing(next, "the server no longer serves it"); err != nil {
				return next, err
			}
		}
		if to != 0 && next > to {
			return next, nil
		}
		if err := fn(&Record{Seq: meta.Sequence.Stream, Subject: msg.Subject(), Header: msg.Headers(), Body: msg.Data(), Stored: meta.Timestamp}); err != nil {
			return next, err
		}
		next++
	}
	return next, nil
}

// stalled says whether the stream holds a record at or after next that the
// consumer does not deliver.
func (l *Ledger) stalled(ctx context.Context, stream string, next uint64) (bool, error) {
	last, err := l.Last(ctx, stream)
	if err != nil {
		return false, nil //nolint:nilerr // unreachable for now is no stall; the next round asks again
	}
	return next <= last, nil
}

// stepOver asks for one record by its number and goes past it either way.
func (l *Ledger) stepOver(ctx context.Context, stream string, seq uint64, fn func(*Record) error, missing func(uint64, string) error) (uint64, error) {
	s, err := l.js.Stream(ctx, stream)
	if err != nil {
		return seq, unreachable(ctx, err)
	}
	raw, err := s.GetMsg(ctx, seq)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) {
			return seq, nil
		}
		return seq + 1, missing(seq, err.Error())
	}
	return seq + 1, fn(&Record{Seq: raw.Sequence, Subject: raw.Subject, Header: raw.Header, Body: raw.Data, Stored: raw.Time})
}

func unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault.New(fault.Unavailable, "ledger: the log cannot be read: %w", err)
}

// Last is the sequence of a stream's last record.
func (l *Ledger) Last(ctx context.Context, stream string) (uint64, error) {
	s, err := l.js.Stream(ctx, stream)
	if err != nil {
		return 0, unreachable(ctx, err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// History is a subject's events in order, checked against its hash chain: a
// damaged copy may serve a history with holes.
func (l *Ledger) History(ctx context.Context, subject string) ([]*Event, error) {
	var events []*Event
	prev := Place{}
	err := l.bySubject(ctx, StreamLedger, subject, 0, func(r *Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		if e.Prev != prev.Hash {
			return fault.New(fault.Corrupt, "record %d does not follow record %d of its subject: a record between them was changed or is gone", e.Seq, prev.Seq)
		}
		prev = Place{Seq: e.Seq, Hash: e.Hash}
		events = append(events, e)
		return nil
	})
	return events, err
}

// page is how many records one request for a subject's history asks for.
const page = 500

// bySubject calls fn for a subject's records in order, from the given sequence.
func (l *Ledger) bySubject(ctx context.Context, stream, subject string, from uint64, fn func(*Record) error) error {
	for from++; ; {
		n, last, err := l.page(ctx, stream, subject, from, fn)
		if err != nil || n < page {
			return err
		}
		from = last + 1
	}
}

func (l *Ledger) page(ctx context.Context, stream, subject string, from uint64, fn func(*Record) error) (n int, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	req, err := json.Marshal(map[string]any{"seq": from, "next_by_subj": subject, "batch": page})
	if err != nil {
		return 0, 0, err
	}
	inbox := l.nc.NewRespInbox()
	sub, err := l.nc.SubscribeSync(inbox)
	if err != nil {
		return 0, 0, unreachable(ctx, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := l.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, req); err != nil {
		return 0, 0, unreachable(ctx, err)
	}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return n, last, unreachable(ctx, err)
		}
		switch msg.Header.Get("Status") {
		case "":
		case "204", "404":
			return n, last, nil
		default:
			return n, last, fault.New(fault.Unavailable, "ledger: the log answered %s %s", msg.Header.Get("Status"), msg.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64)
		if err != nil {
			return n, last, fault.New(fault.Unavailable, "ledger: the log answered a record without a sequence")
		}
		if err := fn(&Record{Seq: seq, Subject: msg.Header.Get(jetstream.SubjectHeader), Header: msg.Header, Body: msg.Data}); err != nil {
			return n, last, err
		}
		n, last = n+1, seq
	}
}

// Project feeds a read model: batches of events in order from a sequence on,
// for ever. A batch is what came while the last one was worked on.
func (l *Ledger) Project(ctx context.Context, from uint64, fn func(context.Context, []*Event) error) error {
	const most = 2000
	records := make(chan *Event, most)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		cancel(l.Read(ctx, StreamLedger, from, 0, func(r *Record) error {
			e, err := r.Decode()
			if err != nil {
				return err
			}
			select {
			case records <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, func(seq uint64, why string) error {
			return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
		}))
	}()
	for {
		var batch []*Event
		select {
		case e := <-records:
			batch = append(batch, e)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	more:
		for len(batch) < most {
			select {
			case e := <-records:
				batch = append(batch, e)
			default:
				break more
			}
		}
		if err := fn(ctx, batch); err != nil {
			return err
		}
	}
}

// Follow calls fn with each event from a sequence on, first those that are
// there, then those that come, until the context ends or fn fails. From 0 it
// begins with what comes from now on.
func (l *Ledger) Follow(ctx context.Context, from uint64, fn func(*Event) error) error {
	if from == 0 {
		from = l.follower.Pos() + 1
	}
	return l.Read(ctx, StreamLedger, from, 0, func(r *Record) error {
		e, err := r.Decode()
		if err != nil {
			return err
		}
		return fn(e)
	}, func(seq uint64, why string) error {
		return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
	})
}
