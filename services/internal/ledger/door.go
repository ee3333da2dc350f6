package ledger

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// A record closes at so many deliveries or bytes; a larger body travels alone.
const (
	recordDeliveries = 256
	recordBytes      = 512 << 10
	// queueDeliveries bounds what waits for the disk; beyond it the door says 503.
	queueDeliveries = 8192
)

// Door writes deliveries to INTAKE: those that arrive while the last sync is
// under way share the next record and its one sync. There is no timer: a
// lonely delivery goes out at once.
type Door struct {
	l       *Ledger
	subject string
	queue   chan *kept
	stop    chan struct{}
	done    sync.WaitGroup
	last    uint64 // last sequence on the door's own subject
	// oldest is when the delivery came that has waited the longest, in
	// nanoseconds; 0 = nothing waits.
	oldest atomic.Int64
}

type kept struct {
	delivery *intakev1.Delivery
	size     int
	came     time.Time
	answer   chan error
}

// Waiting is for how long the delivery at the front has waited for the disk: who
// comes now waits at least about as long.
func (d *Door) Waiting() time.Duration {
	oldest := d.oldest.Load()
	if oldest == 0 {
		return 0
	}
	return d.wall().Sub(time.Unix(0, oldest))
}

func (d *Door) wall() time.Time {
	if d.l.cfg.Wall != nil {
		return d.l.cfg.Wall()
	}
	return time.Now()
}

// Door opens a door of this process.
func (l *Ledger) Door() (*Door, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	d := &Door{l: l, subject: "in." + lead.ID("d", raw), queue: make(chan *kept, queueDeliveries), stop: make(chan struct{})}
	d.done.Go(d.run)
	return d, nil
}

// Keep returns once the delivery is synced to disk. Any error means that it
// was not acknowledged: the sender must be told to come again.
func (d *Door) Keep(ctx context.Context, delivery *intakev1.Delivery) error {
	if err := d.l.writable(); err != nil {
		return err
	}
	// What a sender may say is checked before; the rest is ours, and not their
	// fault: they are asked to come again.
	if err := keeps(fault.Unknown, delivery); err != nil {
		return err
	}
	k := &kept{delivery, proto.Size(delivery), d.wall(), make(chan error, 1)}
	if k.size > maxPayload-4096 {
		return fault.New(fault.Invalid, "a delivery of %d bytes is larger than the log takes", k.size)
	}
	select {
	case d.queue <- k:
	default:
		return fault.New(fault.Unavailable, "%d deliveries wait for the disk already; come again", queueDeliveries)
	}
	select {
	case err := <-k.answer:
		return err
	case <-d.stop:
		// What is in flight is answered; what is not was not taken.
		select {
		case err := <-k.answer:
			return err
		case <-time.After(d.l.timeout):
			return fault.New(fault.Unavailable, "the door is closing; come again")
		}
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "the sender gave up before the disk answered: %w", ctx.Err())
	}
}

// Close lets what is queued go out and stops.
func (d *Door) Close() {
	select {
	case <-d.stop:
	default:
		close(d.stop)
	}
	d.done.Wait()
}

func (d *Door) run() {
	var carry *kept
	for {
		first := carry
		carry = nil
		if first == nil {
			select {
			case first = <-d.queue:
			case <-d.stop:
				select {
				case first = <-d.queue:
				default:
					return
				}
			}
		}
		d.oldest.Store(first.came.UnixNano())
		group, size := []*kept{first}, first.size
	more:
		for len(group) < recordDeliveries && size < recordBytes {
			select {
			case next := <-d.queue:
				if size+next.size > recordBytes {
					carry = next
					break more
				}
				group, size = append(group, next), size+next.size
			default:
				break more
			}
		}
		err := d.write(group)
		for _, k := range group {
			k.answer <- err
		}
		d.oldest.Store(0)
	}
}

// write publishes one record and returns once it is synced.
func (d *Door) write(group []*kept) error {
	// What has waited while the disk filled up is not sent into the same wait.
	if err := d.l.writable(); err != nil {
		return err
	}
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	record := &intakev1.IntakeRecord{RecordId: lead.ID("r", raw)}
	for _, k := range group {
		record.Deliveries = append(record.Deliveries, k.delivery)
	}
	key, _ := d.l.keys.Private("intake")
	draft := Draft{Subject: d.subject, Body: record, Cause: "record:" + record.GetRecordId()}
	msg, _, err := encode(&draft, "intake", key, Place{}, d.l.clock.Now())
	if err != nil {
		return err
	}
	msg.Header[jetstream.ExpectedStreamHeader] = []string{StreamIntake}
	msg.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(d.last, 10)}
	ctx, cancel := context.WithTimeout(context.Background(), d.l.timeout)
	defer cancel()
	seq, err := d.l.place(ctx, msg)
	if err == nil {
		d.last = seq
		return nil
	}
	// No answer is not an answer, and a refusal means that an earlier record
	// landed after all: what stands on this door's subject decides. The look has
	// its own time; that of the write may be used up.
	ctx, cancel = context.WithTimeout(context.Background(), d.l.timeout)
	defer cancel()
	stands, lookErr := d.look(ctx, record.GetRecordId())
	if lookErr == nil && stands {
		return nil
	}
	if fault.Is(err, fault.Conflict) {
		err = fault.New(fault.Unavailable, "the record was not taken; come again")
	}
	return err
}

// look reads the last record of the door's subject and says whether it is the
// one with that id.
func (d *Door) look(ctx context.Context, recordID string) (bool, error) {
	s, err := d.l.js.Stream(ctx, StreamIntake)
	if err != nil {
		return false, err
	}
	raw, err := s.GetLastMsgForSubject(ctx, d.subject)
	if err != nil {
		return false, err
	}
	d.last = raw.Sequence
	return nats.Header(raw.Header).Get(hCause) == "record:"+recordID, nil
}
