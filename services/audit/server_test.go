package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

var monday = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// wire is the service behind a real server, on a log of its own.
type wire struct {
	t      *testing.T
	log    *ledger.Ledger
	clock  *clock.Virtual
	client auditv1.AuditServiceClient
	leads  int
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{t: t, clock: clock.NewVirtual(monday)}
	var err error
	if w.log, err = ledger.Open(t.Context(), ledger.Config{Dir: t.TempDir() + "/data", Name: "test", FreeFloor: 1, Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	auditv1.RegisterAuditServiceServer(server, &Server{Log: w.log})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///log", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	}))
	if err != nil {
		t.Fatal(err)
	}
	w.client = auditv1.NewAuditServiceClient(conn)
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		_ = w.log.Close()
	})
	return w
}

// grow appends leads, and a delivery of each at the door.
func (w *wire) grow(n int) {
	w.t.Helper()
	door, err := w.log.Door()
	if err != nil {
		w.t.Fatal(err)
	}
	defer door.Close()
	for range n {
		w.leads++
		id := fmt.Sprintf("l%d", w.leads)
		if err := door.Keep(w.t.Context(), &intakev1.Delivery{DeliveryId: "d" + id, SourceId: "s", ReceivedAt: timestamppb.New(w.clock.Now()), Digest: make([]byte, 32)}); err != nil {
			w.t.Fatal(err)
		}
		_, err := w.log.Write(w.t.Context(), "intake", func(*ledger.View) ([]ledger.Draft, error) {
			return []ledger.Draft{{Subject: lead.SubjectOf(id), Cause: "test:" + id, Body: &leadv1.LeadReceived{SourceId: "s", Source: "web", SubmissionId: id, ReceivedAt: timestamppb.New(w.clock.Now()), Features: &leadv1.Features{}}}}, nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.clock.Set(w.clock.Now().Add(time.Minute))
	}
}

// head is the signed tree head of a stream, opened with the key that the log's
// first record names.
func (w *wire) head(stream string) ledger.Checkpoint {
	w.t.Helper()
	got, err := w.client.GetCheckpoint(w.t.Context(), &auditv1.GetCheckpointRequest{Stream: stream})
	if err != nil {
		w.t.Fatal(err)
	}
	opened, err := w.log.Opened(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(opened.GetKeys(), func(k *auditv1.ServiceKey) bool { return k.GetService() == Name })
	verifier, err := ledger.Verifier(opened.GetLedgerId(), opened.GetKeys()[i].GetPublicKey())
	if err != nil || verifier != got.GetVerifier() {
		w.t.Fatalf("the checkpoint is said to be signed by %s, the log names %s (%v)", got.GetVerifier(), verifier, err)
	}
	c, err := ledger.OpenCheckpoint(got.GetNote(), verifier, opened.GetLedgerId(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func hashes(t *testing.T, raw [][]byte) (out []tlog.Hash) {
	t.Helper()
	for _, h := range raw {
		if len(h) != tlog.HashSize {
			t.Fatalf("a hash of %d bytes", len(h))
		}
		out = append(out, tlog.Hash(h))
	}
	return out
}

// records are the records of a stream as the service hands them out.
func (w *wire) records(req *auditv1.ReplayRequest) (out []*ledger.Record) {
	w.t.Helper()
	stream, err := w.client.Replay(w.t.Context(), req)
	if err != nil {
		w.t.Fatal(err)
	}
	err = Records(stream, func(r *ledger.Record) error { out = append(out, r); return nil }, func(seq uint64, why string) error {
		return fmt.Errorf("record %d: %s", seq, why)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// caughtUp waits until the tree over a stream holds so many records.
func (w *wire) caughtUp(stream string, n int64) {
	w.t.Helper()
	tree, err := w.log.Tree(stream)
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		size, _, err := tree.Head()
		if err != nil {
			w.t.Fatal(err)
		}
		if size >= n {
			return
		}
		if w.t.Context().Err() != nil {
			w.t.Fatalf("the tree of %s holds %d of %d records", stream, size, n)
		}
		runtime.Gosched()
	}
}

// Whoever has a record as handed out, a proof and a signed head needs nothing
// more: no trust in whoever serves them.
func TestProofOfInclusion(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.grow(9)
	for _, stream := range []string{ledger.StreamLedger, ledger.StreamIntake} {
		records := w.records(&auditv1.ReplayRequest{Stream: stream})
		w.caughtUp(stream, int64(len(records)))
		head := w.head(stream)
		if head.Size != int64(len(records)) {
			t.Fatalf("the head of %s is over %d of %d records", stream, head.Size, len(records))
		}
		for _, r := range records {
			got, err := w.client.ProveInclusion(t.Context(), &auditv1.ProveInclusionRequest{Stream: stream, Sequence: r.Seq, Size: uint64(head.Size)})
			if err != nil {
				t.Fatal(err)
			}
			leaf := tlog.RecordHash(r.Leaf())
			proof := hashes(t, got.GetHashes())
			if err := tlog.CheckRecord(proof, head.Size, head.Root, int64(r.Seq)-1, leaf); err != nil {
				t.Errorf("record %d of %s: %v", r.Seq, stream, err)
			}
			if tlog.Hash(got.GetLeaf()) != leaf || tlog.Hash(got.GetRoot()) != head.Root || got.GetSize() != uint64(head.Size) {
				t.Errorf("record %d of %s: the proof speaks of another leaf or root", r.Seq, stream)
			}
			// It proves this record, at this place, in this state.
			r.Body = append(r.Body, 0)
			if tlog.CheckRecord(proof, head.Size, head.Root, int64(r.Seq)-1, tlog.RecordHash(r.Leaf())) == nil {
				t.Errorf("record %d of %s: the proof fits a changed record", r.Seq, stream)
			}
			if tlog.CheckRecord(proof, head.Size, head.Root, int64(r.Seq)%head.Size, leaf) == nil {
				t.Errorf("record %d of %s: the proof fits another place", r.Seq, stream)
			}
		}
	}
}

// A proof without a size is against a head that was signed, even when the log
// has grown since the last one.
func TestProofsSpeakOfASignedHead(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.grow(3)
	old := w.head(ledger.StreamLedger)
	w.grow(4)
	got, err := w.client.ProveInclusion(t.Context(), &auditv1.ProveInclusionRequest{Stream: ledger.StreamLedger, Sequence: 8})
	if err != nil {
		t.Fatal(err)
	}
	grown, err := w.client.ProveConsistency(t.Context(), &auditv1.ProveConsistencyRequest{Stream: ledger.StreamLedger, OldSize: uint64(old.Size)})
	if err != nil {
		t.Fatal(err)
	}
	signed := map[uint64]tlog.Hash{}
	list, err := w.client.ListCheckpoints(t.Context(), &auditv1.ListCheckpointsRequest{Stream: ledger.StreamLedger})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range list.GetNotes() {
		c, err := ledger.OpenCheckpoint(text, list.GetVerifier(), w.log.ID(), ledger.StreamLedger)
		if err != nil {
			t.Fatal(err)
		}
		signed[uint64(c.Size)] = c.Root
	}
	if list.GetOutside() != list.GetNotes()[len(list.GetNotes())-1] {
		t.Error("the newest checkpoint has not left the data directory")
	}
	if root, ok := signed[got.GetSize()]; !ok || root != tlog.Hash(got.GetRoot()) {
		t.Errorf("inclusion is proven in a tree of %d records, of which no head is signed", got.GetSize())
	}
	if root, ok := signed[grown.GetNewSize()]; !ok || root != tlog.Hash(grown.GetNewRoot()) {
		t.Errorf("consistency is proven with a tree of %d records, of which no head is signed", grown.GetNewSize())
	}
}

func TestProofOfConsistency(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	for _, stream := range []string{ledger.StreamLedger, ledger.StreamIntake} {
		w.grow(4)
		w.caughtUp(stream, int64(len(w.records(&auditv1.ReplayRequest{Stream: stream}))))
		old := w.head(stream)
		w.grow(5)
		w.caughtUp(stream, int64(len(w.records(&auditv1.ReplayRequest{Stream: stream}))))
		head := w.head(stream)
		if head.Size <= old.Size {
			t.Fatalf("%s grew from %d to %d records", stream, old.Size, head.Size)
		}
		for size := int64(1); size <= head.Size; size++ {
			got, err := w.client.ProveConsistency(t.Context(), &auditv1.ProveConsistencyRequest{Stream: stream, OldSize: uint64(size), NewSize: uint64(head.Size)})
			if err != nil {
				t.Fatal(err)
			}
			proof := hashes(t, got.GetHashes())
			if err := tlog.CheckTree(proof, head.Size, head.Root, size, tlog.Hash(got.GetOldRoot())); err != nil {
				t.Errorf("%s from %d: %v", stream, size, err)
			}
			if size == old.Size && tlog.Hash(got.GetOldRoot()) != old.Root {
				t.Errorf("%s: the old root is not the one that was signed", stream)
			}
			if tlog.CheckTree(proof, head.Size, head.Root, size, tlog.Hash{1}) == nil {
				t.Errorf("%s from %d: the proof fits another old tree", stream, size)
			}
		}
	}
}

func TestProofsThatThereAreNone(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	w.grow(2)
	for name, ask := range map[string]func() error{
		"a stream that there is not": func() error {
			_, err := w.client.ProveInclusion(t.Context(), &auditv1.ProveInclusionRequest{Stream: "OTHER", Sequence: 1})
			return err
		},
		"a record beyond the tree": func() error {
			_, err := w.client.ProveInclusion(t.Context(), &auditv1.ProveInclusionRequest{Stream: ledger.StreamLedger, Sequence: 3, Size: 2})
			return err
		},
		"a tree beyond the log": func() error {
			_, err := w.client.ProveInclusion(t.Context(), &auditv1.ProveInclusionRequest{Stream: ledger.StreamLedger, Sequence: 1, Size: 99})
			return err
		},
		"a tree that shrank": func() error {
			_, err := w.client.ProveConsistency(t.Context(), &auditv1.ProveConsistencyRequest{Stream: ledger.StreamLedger, OldSize: 3, NewSize: 2})
			return err
		},
		"out of nothing": func() error {
			_, err := w.client.ProveConsistency(t.Context(), &auditv1.ProveConsistencyRequest{Stream: ledger.StreamLedger, OldSize: 0, NewSize: 2})
			return err
		},
	} {
		if err := ask(); err == nil {
			t.Errorf("%s: a proof was made", name)
		}
	}
}

// What is handed out is what is stored: it verifies on the other side of the
// wire as it does on this one.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	if got, err := w.client.GetCheckpoint(t.Context(), &auditv1.GetCheckpointRequest{Stream: ledger.StreamIntake}); err == nil {
		t.Errorf("a stream without a record has a head: %v", got)
	}
	w.grow(5)
	w.caughtUp(ledger.StreamIntake, 1)
	w.head(ledger.StreamLedger)
	here, err := Verify(t.Context(), Direct{Log: w.log}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	there, err := Verify(t.Context(), Remote{Client: w.client}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", here) != fmt.Sprintf("%+v", there) || !there.Whole() || there.Events != 6 || there.Deliveries != 5 || there.Unworked != 5 {
		t.Errorf("here  %+v\nthere %+v", here, there)
	}
	at := func(minutes int) *timestamppb.Timestamp {
		return timestamppb.New(monday.Add(time.Duration(minutes) * time.Minute))
	}
	for name, test := range map[string]struct {
		req  *auditv1.ReplayRequest
		want []uint64
	}{
		"all":          {&auditv1.ReplayRequest{}, []uint64{1, 2, 3, 4, 5, 6}},
		"a stretch":    {&auditv1.ReplayRequest{FromSequence: 3, ToSequence: 4}, []uint64{3, 4}},
		"from one on":  {&auditv1.ReplayRequest{FromSequence: 5}, []uint64{5, 6}},
		"a lead":       {&auditv1.ReplayRequest{LeadId: "l3"}, []uint64{4}},
		"no such lead": {&auditv1.ReplayRequest{LeadId: "l"}, nil},
		"from a time":  {&auditv1.ReplayRequest{From: at(3)}, []uint64{5, 6}},
		"up to a time": {&auditv1.ReplayRequest{To: at(2)}, []uint64{1, 2, 3}},
		"both":         {&auditv1.ReplayRequest{From: at(1), To: at(2)}, []uint64{3}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []uint64
			for _, r := range w.records(test.req) {
				got = append(got, r.Seq)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("handed out are %v, want %v", got, test.want)
			}
		})
	}
	stream, err := w.client.Replay(t.Context(), &auditv1.ReplayRequest{Stream: ledger.StreamIntake, FromSequence: 99})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("beyond the end there is %v, %v", got, err)
	}
}
