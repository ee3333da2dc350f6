package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Place is the last event of a subject, as somebody folded it.
type Place struct {
	Seq      uint64
	Hash     [32]byte
	Recorded time.Time
}

// Places answers the last event of a subject; the zero Place for a subject
// that has none.
type Places func(subject string) Place

// publishTimeout bounds the wait for an acknowledgement.
const publishTimeout = 10 * time.Second

// MaxBatch is the most events that one batch holds.
const MaxBatch = 1000

// codes of the server for "somebody was faster": on one server and on a
// replicated stream.
const (
	codeWrongLast   jetstream.ErrorCode = 10071
	codeInFlight    jetstream.ErrorCode = 10164
	codeNoResources jetstream.ErrorCode = 10023
	codeStoreFailed jetstream.ErrorCode = 10077
	codeNoStorage   jetstream.ErrorCode = 10047
)

// Say writes drafts as one: all of them or none, each on top of the last event
// of its subject that the caller has folded. It returns once they are synced
// to disk.
//
// A fault.Conflict means that a subject has moved: fold again and decide again.
// A fault.Unavailable means that no answer came, which is not an answer: the
// drafts may stand or not, so look before saying them again.
func (l *Ledger) Say(ctx context.Context, service string, places Places, now time.Time, drafts ...Draft) ([]*Event, error) {
	if len(drafts) == 0 {
		return nil, nil
	}
	if len(drafts) > MaxBatch {
		return nil, fault.New(fault.Invalid, "ledger: %d events do not fit one batch of %d", len(drafts), MaxBatch)
	}
	if err := l.writable(); err != nil {
		return nil, err
	}
	key, ok := l.keys.Private(service)
	if !ok {
		return nil, fault.New(fault.Denied, "ledger: %q is not a service that writes", service)
	}
	folded := make(map[string]Place, len(drafts))
	msgs := make([]*nats.Msg, 0, len(drafts))
	events := make([]*Event, 0, len(drafts))
	for i := range drafts {
		d := &drafts[i]
		prev, said := folded[d.Subject]
		if !said {
			prev = places(d.Subject)
		}
		// Recorded time never goes below the previous event of its subject.
		recorded := now
		if recorded.Before(prev.Recorded) {
			recorded = prev.Recorded
		}
		d.tzdata = l.cfg.TZData
		msg, event, err := encode(d, service, key, prev, recorded)
		if err != nil {
			return nil, err
		}
		if !mayWrite(service, event.Type) {
			return nil, fault.New(fault.Denied, "ledger: %s may not write %s", service, event.Type)
		}
		if !said {
			// Inside a batch only the first message of a subject names what it expects.
			msg.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(prev.Seq, 10)}
		}
		folded[d.Subject] = Place{Hash: event.Hash, Recorded: recorded}
		msgs, events = append(msgs, msg), append(events, event)
	}
	last, err := l.commit(ctx, msgs)
	if err != nil {
		if fault.Is(err, fault.Conflict) {
			l.cfg.Observer.Conflict(service)
		}
		return nil, err
	}
	for i, e := range events {
		e.Seq = last - uint64(len(events)-1-i)
		l.cfg.Observer.EventWritten(service, e.Type)
	}
	return events, nil
}

// headers that make messages a batch.
const (
	hBatchID     = "Nats-Batch-Id"
	hBatchSeq    = "Nats-Batch-Sequence"
	hBatchCommit = "Nats-Batch-Commit"
)

// refusal marks the log's own no: nothing of what was sent stands.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// publish sends messages of LEDGER as one and answers the sequence of the last
// one.
func (l *Ledger) publish(ctx context.Context, msgs []*nats.Msg) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	if len(msgs) == 1 {
		// It may have been part of a batch that was refused.
		for _, name := range []string{hBatchID, hBatchSeq, hBatchCommit} {
			delete(msgs[0].Header, name)
		}
		msgs[0].Header[jetstream.ExpectedStreamHeader] = []string{StreamLedger}
		return l.place(ctx, msgs[0])
	}
	id := nuid.Next()
	for i, msg := range msgs {
		msg.Header[hBatchID] = []string{id}
		msg.Header[hBatchSeq] = []string{strconv.Itoa(i + 1)}
		delete(msg.Header, hBatchCommit)
		if i == len(msgs)-1 {
			msg.Header[hBatchCommit] = []string{"1"}
			return l.place(ctx, msg)
		}
		// Only the last one asks for an answer: it is refused if one before it was
		// not taken, and the log does not stand idle over a question in between.
		if err := l.nc.PublishMsg(msg); err != nil {
			return 0, fault.New(fault.Unavailable, "ledger: the log cannot be reached: %w", err)
		}
	}
	return 0, nil
}

// place asks for a message to be kept and answers its sequence. An answer that
// names none acknowledges nothing.
func (l *Ledger) place(ctx context.Context, msg *nats.Msg) (uint64, error) {
	ack, err := l.ask(ctx, msg)
	if err == nil && ack.Sequence == 0 {
		err = fault.New(fault.Unavailable, "ledger: the log's answer names no sequence; what was said may stand or not")
	}
	return ack.Sequence, err
}

type pubAck struct {
	Stream   string `json:"stream"`
	Sequence uint64 `json:"seq"`
	Error    *struct {
		Code        int                 `json:"code"`
		ErrCode     jetstream.ErrorCode `json:"err_code"`
		Description string              `json:"description"`
	} `json:"error"`
}

// ask sends one message as a request and reads the answer.
func (l *Ledger) ask(ctx context.Context, msg *nats.Msg) (pubAck, error) {
	var ack pubAck
	resp, err := l.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		// A time-out is not an answer.
		return ack, fault.New(fault.Unavailable, "ledger: no answer from the log; what was said may stand or not: %w", err)
	}
	if len(resp.Data) == 0 {
		return ack, nil
	}
	if err := json.Unmarshal(resp.Data, &ack); err != nil {
		return ack, fault.New(fault.Unavailable, "ledger: the log's answer cannot be read: %w", err)
	}
	if ack.Error == nil {
		return ack, nil
	}
	switch ack.Error.ErrCode {
	case codeWrongLast, codeInFlight:
		return ack, refusal{fault.New(fault.Conflict, "ledger: the subject has moved since it was folded")}
	case codeNoResources, codeStoreFailed, codeNoStorage:
		return ack, refusal{fault.New(fault.Full, "ledger: the log has no room: %s", ack.Error.Description)}
	}
	return ack, refusal{fault.New(fault.Unavailable, "ledger: the log refused: %s (%d)", ack.Error.Description, ack.Error.ErrCode)}
}

// errClosed is what a stopped loop answers.
var errClosed = errors.New("ledger: closed")
