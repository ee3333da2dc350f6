package keys

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// TestMain turns the test program into a process of its own when asked to.
func TestMain(m *testing.M) {
	switch role, path := os.Getenv("KEYS_TEST_ROLE"), os.Getenv("KEYS_TEST_PATH"); role {
	case "":
		os.Exit(m.Run())
	case "open":
		s, err := Open(context.Background(), path)
		if err != nil {
			fmt.Println("fault:", err)
			os.Exit(1)
		}
		fmt.Println(hex.EncodeToString(s.MAC("same")))
		s.Close()
	case "admit":
		admitUntilKilled(path, os.Getenv("KEYS_TEST_RUN"))
	}
}

// admitUntilKilled admits as fast as it can and prints each grant it was given.
func admitUntilKilled(path, run string) {
	s, err := Open(context.Background(), path)
	if err != nil {
		fmt.Println("fault:", err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		batch := make([]Admission, 1+n%7)
		for i := range batch {
			id := fmt.Sprintf("l%s-%d-%d", run, n, i)
			batch[i] = Admission{
				LeadID: id, KeyID: id, SourceID: "web", Plain: []byte("data of " + id), AAD: []byte(id),
				Email: fmt.Sprintf("someone%d@example.com", n%50),
			}
		}
		grants, err := s.Admit(context.Background(), batch)
		if err != nil {
			fmt.Println("fault:", err)
			os.Exit(1)
		}
		for _, g := range grants {
			raw, err := proto.Marshal(g.Sealed)
			if err != nil {
				panic(err)
			}
			fmt.Println(g.FirstLead, g.PersonID, hex.EncodeToString(raw))
		}
	}
}

func self(t *testing.T, role, path, run string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "KEYS_TEST_ROLE="+role, "KEYS_TEST_PATH="+path, "KEYS_TEST_RUN="+run)
	cmd.Stderr = os.Stderr
	return cmd
}

// Whatever a process was given before it was killed opens afterwards, and its
// people are the same.
func TestKilledProcessLosesNothingItWasGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	type given struct{ lead, person, sealed string }
	var all []given
	for run := range 5 {
		cmd := self(t, "admit", path, itoa(run))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 100*(run+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			part := strings.Fields(lines.Text())
			if len(part) != 3 {
				t.Fatalf("child says %q", lines.Text())
			}
			all = append(all, given{part[0], part[1], part[2]})
		}
		_ = cmd.Wait() // it was killed
	}
	if len(all) < 1500 {
		t.Fatalf("only %d grants", len(all))
	}
	s := reopen(t, path)
	persons := map[string]bool{}
	for _, g := range all {
		raw, err := hex.DecodeString(g.sealed)
		if err != nil {
			t.Fatal(err)
		}
		sealed := new(leadv1.Sealed)
		if err := proto.Unmarshal(raw, sealed); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, s, sealed, g.lead, "data of "+g.lead)
		persons[g.person] = true
	}
	if len(persons) != 50 {
		t.Errorf("%d persons for 50 addresses", len(persons))
	}
	var verdict string
	if err := s.write.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}

// Processes that meet a new directory at once end up with one store.
func TestProcessesThatStartTogetherShareOneStore(t *testing.T) {
	for round := range 3 {
		path := filepath.Join(t.TempDir(), itoa(round), "keys.db")
		const processes = 4
		answers := make(chan string, processes)
		for range processes {
			cmd := self(t, "open", path, "")
			go func() {
				out, err := cmd.Output()
				answers <- fmt.Sprint(string(out), err)
			}()
		}
		first := <-answers
		if !strings.HasSuffix(first, "<nil>") {
			t.Errorf("a process failed: %s", first)
		}
		for range processes - 1 {
			if next := <-answers; next != first {
				t.Errorf("round %d: one says %q, another %q", round, first, next)
			}
		}
	}
}

// Open syncs what a killed process may have left unsynced: it moves the
// write-ahead log into the database before anybody reads from it.
func TestOpenSettlesWhatAKilledProcessLeft(t *testing.T) {
	s := fresh(t)
	sealed, err := s.Seal(t.Context(), "call", []byte("notes"), nil)
	if err != nil {
		t.Fatal(err)
	}
	killed := filepath.Join(t.TempDir(), "keys.db")
	for name, content := range contents(t, filepath.Dir(s.path)) {
		if name != "keys.db-shm" {
			write(t, filepath.Join(filepath.Dir(killed), name), content)
		}
	}
	again := reopen(t, killed)
	files := contents(t, filepath.Dir(killed))
	settled := filepath.Join(t.TempDir(), "keys.db")
	write(t, settled, files["keys.db"])
	write(t, filepath.Join(filepath.Dir(settled), "master.key"), files["master.key"])
	mustOpen(t, reopen(t, settled), sealed, "", "notes")
	mustOpen(t, again, sealed, "", "notes")
}
