package routing

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// storeSuite is what every store promises. open opens the store of one test; two
// opened one after the other hold the same.
func storeSuite(t *testing.T, open func(t *testing.T) func() Store) {
	t.Helper()
	at := func(log string, position uint64) Past {
		return Past{Log: log, Position: position, Hash: [32]byte{byte(position)}}
	}
	row := func(kind Kind, key, value string) Row {
		r := Row{Group: "sales", Kind: kind, Key: key}
		if value != "" {
			r.Value = []byte(value)
		}
		return r
	}
	three := []Row{row(kindLoad, "ana", "2"), row(kindLoad, "ben", "1"), row(kindGroup, "sales", `{"place":0}`)}
	first := Change{Past: at("log", 10), Whole: true, Rows: three}
	rows := func(rows ...Row) []Row { return rows }

	for name, test := range map[string]struct {
		changes []Change
		kept    []uint64
		past    Past
		rows    []Row
	}{
		"nothing": {},
		"a whole": {[]Change{first}, []uint64{10}, at("log", 10), three},
		"a change onto it": {
			[]Change{first, {Past: at("log", 12), From: 10, Rows: rows(row(kindLoad, "ana", "3"), row(kindLoad, "ben", ""), row(kindHeld, "l1", `{"member":"ana"}`))}},
			[]uint64{10, 12},
			at("log", 12),
			rows(row(kindLoad, "ana", "3"), row(kindGroup, "sales", `{"place":0}`), row(kindHeld, "l1", `{"member":"ana"}`)),
		},
		"a change from before it, up to later": {
			[]Change{first, {Past: at("log", 12), From: 4, Rows: rows(row(kindLoad, "ben", ""))}},
			[]uint64{10, 12},
			at("log", 12),
			rows(row(kindLoad, "ana", "2"), row(kindGroup, "sales", `{"place":0}`)),
		},
		"a change of nothing moves the position": {
			[]Change{first, {Past: at("log", 12), From: 10}}, []uint64{10, 12}, at("log", 12), three,
		},
		"a change onto what is lost is refused": {
			[]Change{{Past: at("log", 12), From: 10, Rows: rows(row(kindLoad, "ana", "3"))}}, []uint64{0}, Past{}, nil,
		},
		"a change onto more than is kept is refused": {
			[]Change{first, {Past: at("log", 30), From: 20, Rows: rows(row(kindLoad, "ana", "3"))}}, []uint64{10, 10}, at("log", 10), three,
		},
		"a late router is refused": {
			[]Change{first, {Past: at("log", 9), From: 4, Rows: rows(row(kindLoad, "ana", "9"))}}, []uint64{10, 10}, at("log", 10), three,
		},
		"a late router is refused with the whole as well": {
			[]Change{first, {Past: at("log", 9), Whole: true, Rows: rows(row(kindLoad, "ana", "9"))}}, []uint64{10, 10}, at("log", 10), three,
		},
		"a whole replaces all": {
			[]Change{first, {Past: at("log", 11), Whole: true, Rows: rows(row(kindLoad, "dan", "1"))}},
			[]uint64{10, 11},
			at("log", 11), rows(row(kindLoad, "dan", "1")),
		},
		"a change of another log is refused": {
			[]Change{first, {Past: at("other", 12), From: 10, Rows: rows(row(kindLoad, "ana", "3"))}}, []uint64{10, 0}, at("log", 10), three,
		},
		"the whole of another log replaces all": {
			[]Change{first, {Past: at("other", 3), Whole: true, Rows: rows(row(kindLoad, "dan", "1"))}},
			[]uint64{10, 3},
			at("other", 3), rows(row(kindLoad, "dan", "1")),
		},
	} {
		t.Run(name, func(t *testing.T) {
			again := open(t)
			s := again()
			for i, c := range test.changes {
				kept, err := s.Save(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				if kept != test.kept[i] {
					t.Errorf("change %d leaves position %d kept, not %d", i, kept, test.kept[i])
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = again()
			state, err := s.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := State{Past: test.past, Rows: slices.Clone(test.rows)}
			order := func(a, b Row) int {
				return strings.Compare(fmt.Sprint(a.Group, a.Kind, a.Key), fmt.Sprint(b.Group, b.Kind, b.Key))
			}
			slices.SortFunc(want.Rows, order)
			slices.SortFunc(state.Rows, order)
			if diff := cmp.Diff(want, state); diff != "" {
				t.Errorf("kept (-want +got)\n%s", diff)
			}
			if err := s.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			if state, err = s.Load(t.Context()); err != nil || state.Position != 0 || len(state.Rows) != 0 {
				t.Errorf("after clearing %v is kept, %v", state, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
