package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/leadbaton/baton/services/internal/fault"
)

// configs are the streams as they must be. Nothing in them is ever deleted,
// trimmed, aged or overwritten.
func (l *Ledger) configs() []jetstream.StreamConfig {
	base := jetstream.StreamConfig{
		Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxConsumers: -1, MaxMsgSize: -1,
		DenyDelete: true, DenyPurge: true, AllowDirect: true, Replicas: l.cfg.Replicas,
		Duplicates: 2 * time.Minute,
	}
	intake, led, points := base, base, base
	intake.Name, intake.Subjects = StreamIntake, []string{"in.*"}
	intake.Description = "submissions as they came, sealed"
	led.Name, led.Subjects = StreamLedger, []string{"lead.*", "person.*", "pool.*", "org.*.*"}
	led.Description = "every authoritative event, in one order"
	led.AllowAtomicPublish = true
	points.Name, points.Subjects = StreamCheckpoints, []string{"checkpoint"}
	points.Description = "signed tree heads"
	return []jetstream.StreamConfig{intake, led, points}
}

func (l *Ledger) ensureStreams(ctx context.Context) error {
	for _, want := range l.configs() {
		stream, err := l.js.Stream(ctx, want.Name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			stream, err = l.js.CreateStream(ctx, want)
			if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				stream, err = l.js.Stream(ctx, want.Name)
			}
		}
		if err != nil {
			return fault.New(fault.Unavailable, "ledger: cannot open the stream %s: %w", want.Name, err)
		}
		info, err := stream.Info(ctx)
		if err != nil {
			return fault.New(fault.Unavailable, "ledger: cannot read the stream %s: %w", want.Name, err)
		}
		// The server rewrites some combinations silently, and anybody with the
		// right to update a stream could have trimmed it: what counts is what
		// is read back.
		if diff := differences(want, info.Config); len(diff) > 0 {
			return fault.New(fault.Corrupt, "ledger: the stream %s is not set up as it must be: %v; nothing is written to it", want.Name, diff)
		}
		if info.State.Msgs > 0 && info.State.FirstSeq != 1 {
			l.damage("%s starts at sequence %d, not at 1: its beginning is gone", want.Name, info.State.FirstSeq)
		}
	}
	return nil
}

func differences(want, got jetstream.StreamConfig) []string {
	var out []string
	check := func(name string, w, g any) {
		if fmt.Sprint(w) != fmt.Sprint(g) {
			out = append(out, fmt.Sprintf("%s is %v, must be %v", name, g, w))
		}
	}
	if !slices.Equal(want.Subjects, got.Subjects) {
		check("subjects", want.Subjects, got.Subjects)
	}
	check("retention", want.Retention, got.Retention)
	check("storage", want.Storage, got.Storage)
	check("discard", want.Discard, got.Discard)
	check("deny delete", want.DenyDelete, got.DenyDelete)
	check("deny purge", want.DenyPurge, got.DenyPurge)
	check("messages", want.MaxMsgs, got.MaxMsgs)
	check("bytes", want.MaxBytes, got.MaxBytes)
	check("messages a subject", want.MaxMsgsPerSubject, got.MaxMsgsPerSubject)
	check("age", want.MaxAge, got.MaxAge)
	check("replicas", want.Replicas, got.Replicas)
	check("atomic publish", want.AllowAtomicPublish, got.AllowAtomicPublish)
	check("rollup", want.AllowRollup, got.AllowRollup)
	check("message expiry", want.AllowMsgTTL, got.AllowMsgTTL)
	check("schedules", want.AllowMsgSchedules, got.AllowMsgSchedules)
	check("persist mode", want.PersistMode, got.PersistMode)
	check("direct get", want.AllowDirect, got.AllowDirect)
	check("sealed", false, got.Sealed)
	check("mirror", false, got.Mirror != nil)
	check("sources", 0, len(got.Sources))
	check("subject transform", false, got.SubjectTransform != nil)
	return out
}
