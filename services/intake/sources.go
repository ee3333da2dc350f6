package intake

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Sources is the fold of what sources there are. A name that a source has or had
// is its own for ever: its address goes on working, and no other takes it. A
// source that was removed stays.
type Sources struct {
	byID map[string]*intakev1.SourceDeclared
	// owner is the source of each name that ever was one.
	owner map[string]string
	get   func(fn func())
}

// NewSources is the fold of nothing.
func NewSources() *Sources {
	return &Sources{byID: map[string]*intakev1.SourceDeclared{}, owner: map[string]string{}, get: func(fn func()) { fn() }}
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
	if body.GetVersion() == 0 {
		// Written before versions were counted.
		body = proto.Clone(body).(*intakev1.SourceDeclared)
		body.Version = s.byID[body.GetSourceId()].GetVersion() + 1
	}
	s.byID[body.GetSourceId()] = body
	s.owner[body.GetName()] = body.GetSourceId()
}

// named answers the source that has or had a name, within a view of the log.
func (s *Sources) named(name string) *intakev1.SourceDeclared { return s.byID[s.owner[name]] }

// ByName implements SourceLookup; a former name finds its source.
func (s *Sources) ByName(name string) (src *intakev1.SourceDeclared, ok bool) {
	s.get(func() { src = s.named(name) })
	return src, src != nil
}

// ByID answers a source by its permanent id; nil = there is none.
func (s *Sources) ByID(id string) (src *intakev1.SourceDeclared) {
	s.get(func() { src = s.byID[id] })
	return src
}

// All sources, by name, those that were removed among them.
func (s *Sources) All() (out []*intakev1.SourceDeclared) {
	s.get(func() {
		for _, src := range s.byID {
			out = append(out, src)
		}
	})
	slices.SortFunc(out, func(a, b *intakev1.SourceDeclared) int { return cmp.Compare(a.GetName(), b.GetName()) })
	return out
}

// Declare makes the sources of a configuration known that nobody has declared
// yet, and answers the names of those that stand otherwise. What stands is left
// alone: somebody may have changed it, and a restart must not undo that.
func Declare(ctx context.Context, l *ledger.Ledger, ids Ids, known *Sources, declared ...*intakev1.SourceDeclared) (otherwise []string, err error) {
	_, err = l.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		var drafts []ledger.Draft
		otherwise = nil
		for _, src := range declared {
			if stands := known.named(src.GetName()); stands != nil {
				if !sameSetting(stands, src) {
					otherwise = append(otherwise, src.GetName())
				}
				continue
			}
			body := proto.Clone(src).(*intakev1.SourceDeclared)
			body.SourceId, body.Version = ids.Source(src.GetName()), 1
			drafts = append(drafts, ledger.Draft{Subject: sourceSubject(body), Body: body, Cause: "source:" + body.GetSourceId()})
		}
		return drafts, nil
	})
	return otherwise, err
}

// sameSetting says whether a source stands as a configuration declares it.
func sameSetting(stands, declared *intakev1.SourceDeclared) bool {
	return proto.Equal(stands.GetVerification(), declared.GetVerification()) &&
		slices.Equal(stands.GetHoneypots(), declared.GetHoneypots()) && slices.Equal(stands.GetRedirects(), declared.GetRedirects())
}

// Source is the permanent id of a source: it follows from its first name, which
// no other source can have.
func (i Ids) Source(name string) string { return lead.ID("src", i.Keys.MAC("source", []byte(name))) }

func sourceSubject(src *intakev1.SourceDeclared) string { return "org.source." + src.GetSourceId() }
