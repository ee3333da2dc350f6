package intake

import (
	"bytes"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Sources is the fold of what sources there are.
type Sources struct {
	byID   map[string]*intakev1.SourceDeclared
	byName map[string]*intakev1.SourceDeclared
	get    func(fn func())
}

// NewSources is the fold of nothing.
func NewSources() *Sources {
	return &Sources{byID: map[string]*intakev1.SourceDeclared{}, byName: map[string]*intakev1.SourceDeclared{}, get: func(fn func()) { fn() }}
}

// Guard makes look-ups from outside wait for the fold.
func (s *Sources) Guard(f *ledger.Follower) {
	s.get = func(fn func()) { f.View(func(*ledger.View) { fn() }) }
}

// Apply folds one event.
func (s *Sources) Apply(e *ledger.Event) {
	body, ok := e.Body.(*intakev1.SourceDeclared)
	if !ok {
		return
	}
	if old := s.byID[body.GetSourceId()]; old != nil && old.GetName() != body.GetName() {
		delete(s.byName, old.GetName())
	}
	s.byID[body.GetSourceId()], s.byName[body.GetName()] = body, body
}

// ByName implements SourceLookup.
func (s *Sources) ByName(name string) (src *intakev1.SourceDeclared, ok bool) {
	s.get(func() { src, ok = s.byName[name] })
	return src, ok
}

// All sources, by name.
func (s *Sources) All() (out []*intakev1.SourceDeclared) {
	s.get(func() {
		for _, src := range s.byID {
			out = append(out, src)
		}
	})
	slices.SortFunc(out, func(a, b *intakev1.SourceDeclared) int {
		return bytes.Compare([]byte(a.GetName()), []byte(b.GetName()))
	})
	return out
}

// Declare makes sources known, or changes what is known; what stands already is
// not said again. The permanent id follows from the first name.
func Declare(ctx context.Context, l *ledger.Ledger, ids Ids, known *Sources, declared ...*intakev1.SourceDeclared) error {
	_, err := l.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		var drafts []ledger.Draft
		for _, src := range declared {
			body := proto.Clone(src).(*intakev1.SourceDeclared)
			if old := known.byName[src.GetName()]; old != nil {
				body.SourceId = old.GetSourceId()
				if proto.Equal(old, body) {
					continue
				}
			} else if body.GetSourceId() == "" {
				body.SourceId = lead.ID("src", ids.Keys.MAC("source", []byte(src.GetName())))
			}
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(body)
			if err != nil {
				return nil, err
			}
			drafts = append(drafts, ledger.Draft{Subject: "org.source." + body.GetSourceId(), Body: body, Cause: "source:" + lead.ID("", ids.Keys.MAC("declared", raw))})
		}
		return drafts, nil
	})
	return err
}
