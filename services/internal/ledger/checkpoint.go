package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// A checkpoint is a C2SP tlog-checkpoint: origin, size, root, signed as a note
// by the audit service's key. It stands in CHECKPOINTS and, away from the data
// directory, in a file: what is rewritten inside the directory does not fit the
// one outside. The honest promise is up to the last checkpoint that left.

// Checkpoint is a tree head that was signed.
type Checkpoint struct {
	Stream string
	Size   int64
	Root   tlog.Hash
	Note   string
}

func origin(ledgerID, stream string) string { return "baton/" + ledgerID + "/" + stream }

// Verifier answers the key, in note form, that signs a log's checkpoints.
func Verifier(ledgerID string, key ed25519.PublicKey) (string, error) {
	return note.NewEd25519VerifierKey("baton/"+ledgerID, key)
}

type noteSigner struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s noteSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// OpenCheckpoint reads a signed note and checks its signature and its stream.
func OpenCheckpoint(text, verifier, ledgerID, stream string) (Checkpoint, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Checkpoint{}, fault.New(fault.Invalid, "the checkpoint's key cannot be read: %w", err)
	}
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fault.New(fault.Corrupt, "a checkpoint of %s is not signed by this log's key: %w", stream, err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != origin(ledgerID, stream) {
		return Checkpoint{}, fault.New(fault.Corrupt, "a checkpoint speaks of another log or stream than %s of this one", stream)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 {
		return Checkpoint{}, fault.New(fault.Corrupt, "a checkpoint of %s states no size", stream)
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fault.New(fault.Corrupt, "a checkpoint of %s states no root", stream)
	}
	return Checkpoint{Stream: stream, Size: size, Root: tlog.Hash(root), Note: text}, nil
}

// Checkpoint signs the heads of both trees, keeps them in the log and outside
// the data directory, and answers them. Heads that did not grow are left alone.
func (l *Ledger) Checkpoint(ctx context.Context) ([]Checkpoint, error) {
	if why := l.ReadOnly(); why != "" {
		return nil, fault.New(fault.Corrupt, "no checkpoint is made of a damaged log: %s", why)
	}
	l.pointMu.Lock()
	defer l.pointMu.Unlock()
	var made []Checkpoint
	for _, stream := range []string{StreamLedger, StreamIntake} {
		size, root, err := l.trees[stream].Head()
		if err != nil {
			return made, err
		}
		if size <= l.pointed[stream].Size {
			continue
		}
		c, err := l.sign(stream, size, root)
		if err != nil {
			return made, err
		}
		if err := l.keepPoint(ctx, c); err != nil {
			return made, err
		}
		l.pointed[stream] = c
		made = append(made, c)
	}
	return made, nil
}

func (l *Ledger) sign(stream string, size int64, root tlog.Hash) (Checkpoint, error) {
	key, _ := l.keys.Private("audit")
	vkey, err := Verifier(l.id, key.Public().(ed25519.PublicKey))
	if err != nil {
		return Checkpoint{}, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", origin(l.id, stream), size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, noteSigner{v, key})
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Stream: stream, Size: size, Root: root, Note: string(signed)}, nil
}

func (l *Ledger) keepPoint(ctx context.Context, c Checkpoint) error {
	body, err := proto.Marshal(&auditv1.Checkpoint{Stream: c.Stream, Note: c.Note})
	if err != nil {
		return err
	}
	// Outside first: a checkpoint that only the log knows proves nothing.
	if err := writeOutside(l.cfg.Outside, c); err != nil {
		return err
	}
	msg := &nats.Msg{Subject: "checkpoint", Data: body, Header: nats.Header{jetstream.ExpectedStreamHeader: {StreamCheckpoints}}}
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	_, err = l.place(ctx, msg)
	return err
}

func outsideFile(dir, stream string) string { return filepath.Join(dir, stream+".checkpoint") }

func writeOutside(dir string, c Checkpoint) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Unavailable, "the folder for checkpoints outside the data directory cannot be made: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".checkpoint-*")
	if err != nil {
		return fault.New(fault.Unavailable, "a checkpoint cannot be kept outside the data directory: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err := tmp.WriteString(c.Note); err != nil {
		return errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close(), os.Rename(tmp.Name(), outsideFile(dir, c.Stream))); err != nil {
		return err
	}
	return syncDir(dir)
}

// OutsideNote is the newest checkpoint of a stream that left the data
// directory; empty = none did.
func (l *Ledger) OutsideNote(stream string) (string, error) {
	raw, err := os.ReadFile(outsideFile(l.cfg.Outside, stream))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(raw), err
}

// Notes are all checkpoints of a stream in the log, oldest first.
func (l *Ledger) Notes(ctx context.Context, stream string) ([]string, error) {
	last, err := l.Last(ctx, StreamCheckpoints)
	if err != nil || last == 0 {
		return nil, err
	}
	var notes []string
	err = l.Read(ctx, StreamCheckpoints, 1, last, func(r *Record) error {
		var c auditv1.Checkpoint
		if err := proto.Unmarshal(r.Body, &c); err != nil {
			return fault.New(fault.Corrupt, "checkpoint %d cannot be read: %w", r.Seq, err)
		}
		if c.GetStream() == stream {
			notes = append(notes, c.GetNote())
		}
		return nil
	}, func(seq uint64, why string) error {
		return fault.New(fault.Corrupt, "checkpoint %d cannot be read: %s", seq, why)
	})
	return notes, err
}

// KeepCheckpoints makes a checkpoint whenever the log has grown by so many
// records or so much time has passed, until the context ends; then a last one.
func (l *Ledger) KeepCheckpoints(ctx context.Context, records int64, every time.Duration) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			final, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeout)
			defer cancel()
			if _, err := l.Checkpoint(final); err != nil {
				l.logger.WarnContext(ctx, "the last checkpoint could not be made", "error", err.Error())
			}
			return
		case <-tick.C:
		}
		size, _, err := l.trees[StreamLedger].Head()
		if err != nil {
			continue
		}
		l.pointMu.Lock()
		grown := size - l.pointed[StreamLedger].Size
		l.pointMu.Unlock()
		if grown == 0 || (grown < records && time.Since(last) < every) {
			continue
		}
		last = time.Now()
		if _, err := l.Checkpoint(ctx); err != nil && ctx.Err() == nil {
			l.logger.WarnContext(ctx, "a checkpoint could not be made", "error", err.Error())
		}
	}
}

// CheckpointLedger reads which log a checkpoint claims to speak of.
func CheckpointLedger(text string) string {
	rest, _ := strings.CutPrefix(text, "baton/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}
