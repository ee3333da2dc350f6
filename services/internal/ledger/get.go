package ledger

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go/jetstream"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// EventAt answers the event at a place of LEDGER.
func (l *Ledger) EventAt(ctx context.Context, seq uint64) (*Event, error) {
	r, err := l.at(ctx, StreamLedger, seq)
	if err != nil {
		return nil, err
	}
	return r.Decode()
}

// KeptAt answers the record at a place of INTAKE.
func (l *Ledger) KeptAt(ctx context.Context, seq uint64) (*intakev1.IntakeRecord, error) {
	r, err := l.at(ctx, StreamIntake, seq)
	if err != nil {
		return nil, err
	}
	return keptIn(r)
}

// ReadKept calls fn for each record of INTAKE from one sequence to another, in
// order.
func (l *Ledger) ReadKept(ctx context.Context, from, to uint64, fn func(Kept) error) error {
	if to < max(from, 1) {
		return nil
	}
	return l.Read(ctx, StreamIntake, from, to, func(r *Record) error {
		record, err := keptIn(r)
		if err != nil {
			return err
		}
		return fn(Kept{Seq: r.Seq, Record: record})
	}, func(seq uint64, why string) error {
		return fault.New(fault.Corrupt, "record %d of INTAKE cannot be read: %s", seq, why)
	})
}

func keptIn(r *Record) (*intakev1.IntakeRecord, error) {
	e, err := r.Decode()
	if err != nil {
		return nil, err
	}
	record, ok := e.Body.(*intakev1.IntakeRecord)
	if !ok {
		return nil, fault.New(fault.Corrupt, "record %d of INTAKE is a %s, not a record of deliveries", r.Seq, e.Type)
	}
	return record, nil
}

// at asks for one record by its number.
func (l *Ledger) at(ctx context.Context, stream string, seq uint64) (*Record, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	req, err := json.Marshal(map[string]any{"seq": seq})
	if err != nil {
		return nil, err
	}
	msg, err := l.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream, req)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
		return &Record{Seq: seq, Subject: msg.Header.Get(jetstream.SubjectHeader), Header: msg.Header, Body: msg.Data}, nil
	case "404":
		return nil, fault.New(fault.NotFound, "there is no record %d in %s", seq, stream)
	default:
		return nil, fault.New(fault.Unavailable, "ledger: the log answered %s %s", status, msg.Header.Get("Description"))
	}
}
