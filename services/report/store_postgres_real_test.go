//go:build real

package report

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
)

// TestStoreOnPostgreSQL runs the same suite on a server of its own.
func TestStoreOnPostgreSQL(t *testing.T) {
	if !slices.Contains(sql.Drivers(), postgresDriver) {
		t.Fatalf("this build has no PostgreSQL driver %q: link github.com/jackc/pgx/v5/stdlib in", postgresDriver)
	}
	address := startPostgres(t)
	admin, err := sql.Open(postgresDriver, address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Close(); err != nil {
			t.Error(err)
		}
	})
	made := 0
	suite(t, func(t testing.TB) *Store {
		made++
		name := fmt.Sprintf("read_%d", made)
		if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
			t.Fatal(err)
		}
		s, err := Open(context.Background(), address(name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}

// The catalogue's SQL, word for word as it is shown, answers on PostgreSQL what the
// report says of the same cases.
func TestPostgresAnswersTheCatalogue(t *testing.T) {
	address := startPostgres(t)
	ctx := context.Background()
	s, err := Open(ctx, address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	asked, known := map[string]int{}, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		st := drawStory(rt)
		refill(rt, s, st.events, 50)
		for _, r := range reports {
			if r.cases == "" || r.work != nil {
				continue // counted by hand, or over cases that stand in no table
			}
			req := &feedbackv1.GetReportRequest{Report: r.name, Historical: true, Frame: rapid.SampledFrom([]string{frameCohort, frameActivity}).Draw(rt, "frame")}
			if rapid.Bool().Draw(rt, "past") {
				req.AsOf = timestamppb.New(start.Add(24 * time.Hour))
			}
			q, err := question(req, far)
			if err != nil {
				rt.Fatal(err)
			}
			r = r.of(q)
			report, err := s.Report(ctx, q)
			if err != nil {
				rt.Fatal(err)
			}
			for i, m := range r.metrics {
				if m.measure.by == byLow || m.measure.by == byHigh || m.SQL() == "" {
					continue // said in words
				}
				b := &query{}
				b.add("SELECT CAST(" + m.SQL() + " AS DOUBLE PRECISION) FROM (")
				b.cases(r, q)
				b.add(") c")
				var got sql.NullFloat64
				if err := s.read.QueryRowContext(ctx, s.dialect.places(b.text.String()), b.args...).Scan(&got); err != nil {
					rt.Fatalf("%s: %v\n%s", m.ID, err, m.SQL())
				}
				figure := report.GetTotal().GetFigures()[i]
				if m.Unit == unitMoney {
					if figure.GetUnknown() {
						continue // in no currency, or in several
					}
					digits, _ := lead.MinorDigits(report.GetCurrency())
					got.Float64 /= math.Pow10(digits)
				}
				if got.Valid == figure.GetUnknown() || math.Abs(got.Float64-figure.GetValue()) > 1e-6*max(1, math.Abs(got.Float64)) && got.Valid {
					rt.Fatalf("%s: PostgreSQL says %v, the report %v\n%s", m.ID, got, figure, m.SQL())
				}
				asked[m.ID]++
				if got.Valid && got.Float64 != 0 {
					known[m.ID]++
				}
			}
		}
	})
	for _, m := range Catalogue() {
		if m.SQL() == "" || m.restated || m.measure.by == byLow || m.measure.by == byHigh || infoOf(m.Report).work != nil || m.Unit == unitMoney {
			continue
		}
		if asked[m.ID] == 0 {
			t.Errorf("%s was never asked", m.ID)
		}
		if known[m.ID] == 0 {
			t.Logf("%s was nought or unknown in every story", m.ID)
		}
	}
}

// startPostgres starts a server in a folder of its own, reached by a socket only.
// It refuses to run as root, so under root it runs as nobody.
func startPostgres(t *testing.T) func(database string) string {
	t.Helper()
	const bin = "/usr/lib/postgresql/15/bin"
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		t.Fatalf("PostgreSQL 15 is not installed in %s: %v", bin, err)
	}
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	attr := &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		nobody, err := user.Lookup("nobody")
		if err != nil {
			t.Fatal(err)
		}
		uid, errUID := strconv.Atoi(nobody.Uid)
		gid, errGID := strconv.Atoi(nobody.Gid)
		if errUID != nil || errGID != nil {
			t.Fatalf("nobody has no numbers: %v", nobody)
		}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	data := filepath.Join(dir, "data")
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		// The server outlives pg_ctl and must not keep a pipe of ours open.
		log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("%s: %v\n%s", name, err, said)
		}
	}
	run("initdb", "-D", data, "-U", "baton", "-A", "trust", "-N", "--no-locale", "-E", "UTF8")
	run("pg_ctl", "-D", data, "-w", "-o", "-c listen_addresses='' -c fsync=off -k "+dir, "start")
	t.Cleanup(func() { run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop") })
	return func(database string) string {
		return "postgres://baton@/" + database + "?host=" + dir
	}
}
