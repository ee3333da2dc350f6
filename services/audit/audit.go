// Package audit checks the log by itself: it derives decisions again, proves
// what is in the log, and hands it out for others to do the same.
//
// It promises: verifying needs the log and nothing else; what is wrong is named
// with its place; and a proof can be checked by anybody with the log's public
// key.
package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"maps"
	"slices"

	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Name is the service's one word.
const Name = "audit"

// Server answers baton.audit.v1.AuditService.
type Server struct {
	auditv1.UnimplementedAuditServiceServer
	Log *ledger.Ledger
}

// verifier is the key that signs the log's checkpoints. A log whose opening is
// gone has no name of its own any more; the checkpoint outside still knows it.
func (s *Server) verifier(outside string) (string, error) {
	id := s.Log.ID()
	if id == "" {
		id = ledger.CheckpointLedger(outside)
	}
	key, _ := s.Log.Keyring().Private(Name)
	return ledger.Verifier(id, key.Public().(ed25519.PublicKey))
}

// GetCheckpoint answers the last signed tree head of a stream, made now if the
// log has grown since.
func (s *Server) GetCheckpoint(ctx context.Context, req *auditv1.GetCheckpointRequest) (*auditv1.GetCheckpointResponse, error) {
	if s.Log.ReadOnly() == "" {
		if _, err := s.Log.Checkpoint(ctx); err != nil {
			return nil, err
		}
	}
	list, err := s.ListCheckpoints(ctx, &auditv1.ListCheckpointsRequest{Stream: req.GetStream()})
	if err != nil {
		return nil, err
	}
	if len(list.GetNotes()) == 0 {
		return nil, fault.New(fault.NotFound, "%s has no checkpoint yet; it holds no record", req.GetStream())
	}
	return &auditv1.GetCheckpointResponse{Note: list.GetNotes()[len(list.GetNotes())-1], Verifier: list.GetVerifier()}, nil
}

// pointed is the size of the last signed tree head: a proof against a head that
// nobody signed proves nothing.
func (s *Server) pointed(ctx context.Context, stream string) (int64, error) {
	last, err := s.GetCheckpoint(ctx, &auditv1.GetCheckpointRequest{Stream: stream})
	if err != nil {
		return 0, err
	}
	c, err := ledger.OpenCheckpoint(last.GetNote(), last.GetVerifier(), ledger.CheckpointLedger(last.GetNote()), stream)
	return c.Size, err
}

// ListCheckpoints answers all signed tree heads of a stream.
func (s *Server) ListCheckpoints(ctx context.Context, req *auditv1.ListCheckpointsRequest) (*auditv1.ListCheckpointsResponse, error) {
	notes, err := s.Log.Notes(ctx, req.GetStream())
	if err != nil {
		return nil, err
	}
	outside, err := s.Log.OutsideNote(req.GetStream())
	if err != nil {
		return nil, err
	}
	verifier, err := s.verifier(outside)
	return &auditv1.ListCheckpointsResponse{Notes: notes, Verifier: verifier, Outside: outside}, err
}

// ProveInclusion proves that a record is in the tree.
func (s *Server) ProveInclusion(ctx context.Context, req *auditv1.ProveInclusionRequest) (*auditv1.ProveInclusionResponse, error) {
	tree, err := s.Log.Tree(req.GetStream())
	if err != nil {
		return nil, err
	}
	size := int64(req.GetSize())
	if size == 0 {
		if size, err = s.pointed(ctx, req.GetStream()); err != nil {
			return nil, err
		}
	}
	proof, leaf, err := tree.ProveRecord(size, req.GetSequence())
	if err != nil {
		return nil, err
	}
	root, err := tree.Root(size)
	if err != nil {
		return nil, err
	}
	out := &auditv1.ProveInclusionResponse{Size: uint64(size), Leaf: leaf[:], Root: root[:]}
	for _, h := range proof {
		out.Hashes = append(out.Hashes, slices.Clone(h[:]))
	}
	return out, nil
}

// ProveConsistency proves that a tree grew out of an older one.
func (s *Server) ProveConsistency(ctx context.Context, req *auditv1.ProveConsistencyRequest) (*auditv1.ProveConsistencyResponse, error) {
	tree, err := s.Log.Tree(req.GetStream())
	if err != nil {
		return nil, err
	}
	size := int64(req.GetNewSize())
	if size == 0 {
		if size, err = s.pointed(ctx, req.GetStream()); err != nil {
			return nil, err
		}
	}
	proof, err := tree.ProveTree(size, int64(req.GetOldSize()))
	if err != nil {
		return nil, err
	}
	newRoot, err := tree.Root(size)
	if err != nil {
		return nil, err
	}
	oldRoot, err := tree.Root(int64(req.GetOldSize()))
	if err != nil {
		return nil, err
	}
	out := &auditv1.ProveConsistencyResponse{NewSize: uint64(size), OldRoot: oldRoot[:], NewRoot: newRoot[:]}
	for _, h := range proof {
		out.Hashes = append(out.Hashes, slices.Clone(h[:]))
	}
	return out, nil
}

// Replay streams the records of a stream as stored.
func (s *Server) Replay(req *auditv1.ReplayRequest, stream auditv1.AuditService_ReplayServer) error {
	name := req.GetStream()
	if name == "" {
		name = ledger.StreamLedger
	}
	to := req.GetToSequence()
	if to == 0 {
		last, err := s.Log.Last(stream.Context(), name)
		if err != nil {
			return err
		}
		if to = last; to == 0 {
			return nil
		}
	}
	return s.Log.Read(stream.Context(), name, req.GetFromSequence(), to, func(r *ledger.Record) error {
		if req.GetLeadId() != "" && r.Subject != lead.SubjectOf(req.GetLeadId()) {
			return nil
		}
		if req.GetFrom() != nil || req.GetTo() != nil {
			e, err := r.Decode()
			if err == nil && ((req.GetFrom() != nil && e.Recorded.Before(req.GetFrom().AsTime())) || (req.GetTo() != nil && !e.Recorded.Before(req.GetTo().AsTime()))) {
				return nil
			}
		}
		out := &auditv1.StoredRecord{Sequence: r.Seq, Subject: r.Subject, Body: r.Body}
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			for _, value := range r.Header[name] {
				out.Headers = append(out.Headers, &auditv1.Header{Name: name, Value: value})
			}
		}
		return stream.Send(out)
	}, func(seq uint64, why string) error {
		return stream.Send(&auditv1.StoredRecord{Sequence: seq, Unreadable: why})
	})
}

// Direct is the log of this process as a source.
type Direct struct{ Log *ledger.Ledger }

// Read implements Source.
func (d Direct) Read(ctx context.Context, stream string, fn func(*ledger.Record) error, missing func(uint64, string) error) error {
	last, err := d.Log.Last(ctx, stream)
	if err != nil || last == 0 {
		return err
	}
	return d.Log.Read(ctx, stream, 1, last, fn, missing)
}

// Checkpoints implements Source.
func (d Direct) Checkpoints(ctx context.Context, stream string) ([]string, string, string, error) {
	list, err := (&Server{Log: d.Log}).ListCheckpoints(ctx, &auditv1.ListCheckpointsRequest{Stream: stream})
	return list.GetNotes(), list.GetVerifier(), list.GetOutside(), err
}

// Remote is a running system's log as a source: everything is checked on this
// side of the wire.
type Remote struct{ Client auditv1.AuditServiceClient }

// Read implements Source.
func (r Remote) Read(ctx context.Context, stream string, fn func(*ledger.Record) error, missing func(uint64, string) error) error {
	in, err := r.Client.Replay(ctx, &auditv1.ReplayRequest{Stream: stream})
	if err != nil {
		return err
	}
	return Records(in, fn, missing)
}

// Records reads a stream of stored records to its end.
func Records(in auditv1.AuditService_ReplayClient, fn func(*ledger.Record) error, missing func(uint64, string) error) error {
	for {
		got, err := in.Recv()
		if err != nil {
			return ended(err)
		}
		if got.GetUnreadable() != "" {
			err = missing(got.GetSequence(), got.GetUnreadable())
		} else {
			err = fn(Record(got))
		}
		if err != nil {
			return err
		}
	}
}

// Record makes a record of its form on the wire.
func Record(in *auditv1.StoredRecord) *ledger.Record {
	r := &ledger.Record{Seq: in.GetSequence(), Subject: in.GetSubject(), Body: in.GetBody(), Header: map[string][]string{}}
	for _, h := range in.GetHeaders() {
		r.Header[h.GetName()] = append(r.Header[h.GetName()], h.GetValue())
	}
	return r
}

// Checkpoints implements Source.
func (r Remote) Checkpoints(ctx context.Context, stream string) ([]string, string, string, error) {
	list, err := r.Client.ListCheckpoints(ctx, &auditv1.ListCheckpointsRequest{Stream: stream})
	return list.GetNotes(), list.GetVerifier(), list.GetOutside(), err
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
