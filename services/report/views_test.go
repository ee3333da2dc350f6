package report

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
)

var update = flag.Bool("update", false, "write docs/views.md anew")

// TestViewsPageIsCurrent holds the committed page against the texts.
func TestViewsPageIsCurrent(t *testing.T) {
	const path = "../../docs/views.md"
	if *update {
		if err := os.WriteFile(path, ViewsPage(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != string(ViewsPage()) {
		t.Error("docs/views.md is stale; write it anew: baton export --reference > docs/views.md")
	}
}

// Every view of the database has a text, and so has each of its columns, in its order.
func TestEveryViewIsDescribed(t *testing.T) {
	s := openStore(t)
	names := func(query string) (out []string) {
		t.Helper()
		rows, err := s.read.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				t.Fatal(err)
			}
			out = append(out, name)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var described []string
	for _, v := range viewList {
		described = append(described, v.name)
		var columns []string
		for _, c := range v.columns {
			columns = append(columns, c.name)
			if c.text == "" || !strings.HasSuffix(c.text, ".") || !slices.Contains([]string{typeText, typeInteger, typeNumber, typeInstant, typeBoolean}, c.kind) {
				t.Errorf("%s.%s: %q of type %q", v.name, c.name, c.text, c.kind)
			}
		}
		if have := names("SELECT name FROM pragma_table_info('" + v.name + "') ORDER BY cid"); !slices.Equal(have, columns) {
			t.Errorf("%s has %q\ndescribed are %q", v.name, have, columns)
		}
	}
	if have := names("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name"); !slices.Equal(have, described) {
		t.Errorf("views are %q\ndescribed are %q", have, described)
	}
}

// exporting collects what is exported.
type exporting struct {
	grpc.ServerStream
	ctx      context.Context
	messages []*feedbackv1.ExportViewResponse
	between  func()
}

func (e *exporting) Context() context.Context { return e.ctx }

func (e *exporting) Send(m *feedbackv1.ExportViewResponse) error {
	e.messages = append(e.messages, m)
	if e.between != nil {
		e.between()
	}
	return nil
}

func (e *exporting) rows(t fataler) (out [][]any) {
	t.Helper()
	for _, m := range e.messages {
		for _, row := range m.GetRows() {
			var values []any
			if err := json.Unmarshal([]byte(row), &values); err != nil {
				t.Fatal(err)
			}
			out = append(out, values)
		}
	}
	return out
}

// viewsExport holds that each view can be exported, with values of the types that are
// described.
func viewsExport(t *testing.T, s *Store) {
	exported := map[string]int{}
	draws := 0
	rapid.Check(t, func(rt *rapid.T) {
		draws++
		st := drawStory(rt)
		refill(rt, s, st.events, 11)
		r := NewReports(s, nil, fixedStatus{}, clock.NewVirtual(far))
		for _, v := range viewList {
			out := &exporting{ctx: context.Background()}
			if err := r.ExportView(&feedbackv1.ExportViewRequest{View: v.name}, out); err != nil {
				rt.Fatalf("%s: %v", v.name, err)
			}
			if first := out.messages[0]; len(first.GetColumns()) != len(v.columns) || first.GetSequence() != uint64(len(st.events)) {
				rt.Fatalf("%s: first %v", v.name, first)
			}
			for _, row := range out.rows(rt) {
				if len(row) != len(v.columns) {
					rt.Fatalf("%s: %v", v.name, row)
				}
				exported[v.name]++
			}
		}
	})
	for _, name := range []string{"v_leads", "v_stage_history", "v_assignments", "v_speed_to_lead", "v_definitions", "v_nurture", "v_touches", "v_rejections", "v_turns", "v_turn_adjustments"} {
		if exported[name] == 0 && draws >= 100 {
			t.Errorf("nothing of %s was exported", name)
		}
	}
}

// exportIsOneState holds that rows which come while an export runs are not in it.
func exportIsOneState(t *testing.T, s *Store) {
	st := &story{}
	for i := range 3 * rowsAtOnce {
		st.received("l"+time.Duration(i).String(), start, nil)
	}
	refill(t, s, st.events, 500)
	v, _ := viewNamed("v_leads")
	out := &exporting{ctx: context.Background()}
	out.between = func() {
		st.received("z"+time.Duration(len(st.events)).String(), start, nil)
		if err := s.Apply(context.Background(), st.events[len(st.events)-1:]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.export(context.Background(), v, "", out.Send); err != nil {
		t.Fatal(err)
	}
	if got := len(out.rows(t)); got != 3*rowsAtOnce || len(out.messages) < 3 {
		t.Errorf("%d rows in %d messages; want %d", got, len(out.messages), 3*rowsAtOnce)
	}
	if last := out.messages[len(out.messages)-1]; last.GetSequence() != 3*rowsAtOnce {
		t.Errorf("the last rows are of sequence %d", last.GetSequence())
	}
}

func TestExportShowsNamesByRole(t *testing.T) {
	s, st := openStore(t), &story{}
	st.received("l1", start, nil)
	st.offer("l1", start.Add(time.Minute), "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1 ben=1")
	st.say("l1", start.Add(2*time.Minute), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	refill(t, s, st.events, 5)
	r := NewReports(s, nil, fixedStatus{}, clock.NewVirtual(far))
	for role, want := range map[string]string{access.Manager: "ana", access.Marketing: othersKey} {
		ctx := access.With(context.Background(), access.Actor{Handle: "x", Roles: []string{role}})
		for _, name := range []string{"v_leads", "v_assignments", "v_turns"} {
			out := &exporting{ctx: ctx}
			if err := r.ExportView(&feedbackv1.ExportViewRequest{View: name}, out); err != nil {
				t.Fatal(err)
			}
			v, _ := viewNamed(name)
			i := slices.IndexFunc(v.columns, func(c viewColumn) bool { return c.name == "member" || c.name == "owner" })
			if got := out.rows(t)[0][i]; got != want {
				t.Errorf("%s sees %v in %s; want %s", role, got, name, want)
			}
			if role == access.Marketing && strings.Contains(strings.Join(out.messages[0].GetRows(), ""), "ana") {
				t.Errorf("%s sees a name in %s", role, name)
			}
		}
	}
}
