//go:build power

package ledger_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// powerDir tells a child process where it works; its acknowledgements go to
// file 3, which is not on the disk that loses its power.
const powerDir = "BATON_POWER_DIR"

// powerLoad is for how long a child works before the power goes.
const powerLoad = 2 * time.Second

// TestPowerCut takes the power away from a disk under load, and wants back what
// was acknowledged: events, alone and in batches, deliveries at the door, and
// the keys that events' sealed data needs.
//
// The disk is a file system in a file. A child process works on it; it is
// killed, and at once the file is copied: the copy holds what reached the
// device, and nothing that only the operating system had in memory. It needs
// root, mkfs.ext4 and loop devices.
//
//	BATON_POWER_CUTS  how often (3)
func TestPowerCut(t *testing.T) {
	if dir := os.Getenv(powerDir); dir != "" {
		powerChild(t, dir)
		return
	}
	cuts := 3
	if text := os.Getenv("BATON_POWER_CUTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("BATON_POWER_CUTS=%q is not a number of at least 1", text)
		}
		cuts = n
	}
	var sum powerTally
	for n := range cuts {
		got := powerCut(t)
		t.Logf("cut %d: %s", n+1, got)
		sum.add(got)
	}
	t.Logf("power cuts: %d; %s", cuts, sum)
	if sum.single == 0 || sum.batched == 0 || sum.kept == 0 || sum.sealed == 0 {
		t.Errorf("too little was acknowledged for the cuts to prove anything")
	}
}

// powerTally counts acknowledgements and what of them was lost.
type powerTally struct {
	single, batched, kept, sealed     int
	lostSingle, lostBatched, lostKept int
	lostSealed, torn                  int
	pointed                           int64
	reopened                          time.Duration
}

func (p *powerTally) add(q powerTally) {
	p.single, p.batched, p.kept, p.sealed = p.single+q.single, p.batched+q.batched, p.kept+q.kept, p.sealed+q.sealed
	p.lostSingle, p.lostBatched, p.lostKept = p.lostSingle+q.lostSingle, p.lostBatched+q.lostBatched, p.lostKept+q.lostKept
	p.lostSealed, p.torn = p.lostSealed+q.lostSealed, p.torn+q.torn
	p.pointed = max(p.pointed, q.pointed)
	p.reopened = max(p.reopened, q.reopened)
}

func (p powerTally) String() string {
	return fmt.Sprintf("acknowledged %d single events, %d in batches, %d deliveries, %d seals; lost %d, %d, %d, %d; %d torn batches; checkpoint at %d; open again in %v",
		p.single, p.batched, p.kept, p.sealed, p.lostSingle, p.lostBatched, p.lostKept, p.lostSealed, p.torn, p.pointed, p.reopened.Round(time.Millisecond))
}

// powerRun runs a program of the system.
func powerRun(t *testing.T, name string, args ...string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s; the power cut needs root, e2fsprogs and loop devices", name, strings.Join(args, " "), err, out)
	}
}

// powerMount mounts a disk image and answers where.
func powerMount(t *testing.T, image string, options string) (dir string, unmount func()) {
	t.Helper()
	dir = t.TempDir()
	powerRun(t, "mount", "-t", "ext4", "-o", "loop,"+options, image, dir)
	var once sync.Once
	unmount = func() {
		once.Do(func() {
			// The test's own context may have ended.
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
				_ = exec.Command("umount", "--lazy", dir).Run()
			}
		})
	}
	t.Cleanup(unmount)
	return dir, unmount
}

func powerCut(t *testing.T) powerTally {
	t.Helper()
	work := t.TempDir()
	image, copied := filepath.Join(work, "disk"), filepath.Join(work, "after")
	powerRun(t, "truncate", "--size", "768M", image)
	// Everything that the file system does lazily when it is made is done now.
	powerRun(t, "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
	// The journal is not committed by the clock, and nothing is flushed because
	// a file was renamed or cut: only what the program itself syncs is safe.
	disk, off := powerMount(t, image, "commit=300,noauto_da_alloc")

	acks := powerLoadUntilKilled(t, disk)
	powerRun(t, "cp", "--sparse=always", image, copied)
	off()
	after, off := powerMount(t, copied, "defaults")
	defer off()
	return powerCompare(t, after, acks)
}

// powerLoadUntilKilled lets a child work, kills it, and answers the lines of
// its acknowledgements.
func powerLoadUntilKilled(t *testing.T, dir string) []string {
	t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestPowerCut$")
	child.Env = append(os.Environ(), powerDir+"="+dir)
	child.ExtraFiles = []*os.File{to}
	var said strings.Builder
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	lines := make(chan []string, 1)
	began := make(chan struct{})
	go func() {
		var all []string
		in := bufio.NewReader(from)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				// What was cut off in the middle was not acknowledged to anybody.
				lines <- all
				return
			}
			if all = append(all, strings.TrimSuffix(line, "\n")); len(all) == 1 {
				close(began)
			}
		}
	}()
	select {
	case <-began:
	case all := <-lines:
		_ = child.Wait()
		t.Fatalf("the child ended before it acknowledged anything (%d lines):\n%s", len(all), said.String())
	}
	<-time.After(powerLoad)
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	all := <-lines
	for _, line := range all {
		if strings.HasPrefix(line, "fault ") {
			t.Fatalf("the child could not work: %s", line)
		}
	}
	return all
}

// powerConfig is the log on the disk that loses its power, its checkpoints too.
func powerConfig(dir string) ledger.Config {
	return ledger.Config{Dir: filepath.Join(dir, "data"), Name: "power", FreeFloor: 1}
}

// powerChild works until it is killed.
func powerChild(t *testing.T, dir string) {
	ctx := t.Context()
	out := os.NewFile(3, "acknowledgements")
	var mu sync.Mutex
	// Each acknowledgement is one write: whole, or not there.
	ack := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(out, fmt.Sprintf(format, args...)+"\n")
	}
	l, err := ledger.Open(ctx, powerConfig(dir))
	if err != nil {
		ack("fault %v", err)
		return
	}
	store, err := keys.Open(ctx, filepath.Join(dir, "data", "keys", "keys.db"))
	if err != nil {
		ack("fault %v", err)
		return
	}
	door, err := l.Door()
	if err != nil {
		ack("fault %v", err)
		return
	}
	var group sync.WaitGroup
	worker := func(step func(n int) error) {
		group.Go(func() {
			for n := 0; ; n++ {
				if err := step(n); err != nil {
					ack("fault %v", err)
					return
				}
			}
		})
	}
	for w := range 2 {
		worker(func(n int) error {
			_, err := powerSay(ctx, l, store, ack, fmt.Sprintf("s%d-%d", w, n))
			return err
		})
	}
	worker(func(n int) error {
		ids := make([]string, 2+n%19)
		for i := range ids {
			ids[i] = fmt.Sprintf("b-%d-%d", n, i)
		}
		_, err := powerSay(ctx, l, store, ack, ids...)
		return err
	})
	for w := range 4 {
		worker(func(n int) error {
			id := fmt.Sprintf("d-%d-%d", w, n)
			if err := door.Keep(ctx, &intakev1.Delivery{DeliveryId: id, SourceId: "s", ReceivedAt: timestamppb.Now(), Digest: make([]byte, 32)}); err != nil {
				return err
			}
			ack("kept %s", id)
			return nil
		})
	}
	worker(func(n int) error {
		// A checkpoint that left the log must never speak of more than stands.
		points, err := l.Checkpoint(ctx)
		for _, p := range points {
			ack("point %s %d", p.Stream, p.Size)
		}
		return errors.Join(err, l.Follower().Wait(ctx, l.Follower().Pos()+200))
	})
	group.Wait()
}

// powerSay seals something for each lead, as intake does, says the leads as
// one, and acknowledges the seals and then the events.
func powerSay(ctx context.Context, l *ledger.Ledger, store *keys.Store, ack func(string, ...any), ids ...string) ([]*ledger.Event, error) {
	admissions := make([]keys.Admission, len(ids))
	for i, id := range ids {
		admissions[i] = keys.Admission{LeadID: id, KeyID: "sub-" + id, SourceID: "s", Plain: []byte("data of " + id), AAD: []byte(id), Email: id + "@example.com"}
	}
	grants, err := store.Admit(ctx, admissions)
	if err != nil {
		return nil, err
	}
	drafts := make([]ledger.Draft, len(ids))
	for i, id := range ids {
		raw, err := proto.Marshal(grants[i].Sealed)
		if err != nil {
			return nil, err
		}
		ack("seal %s %s", id, base64.StdEncoding.EncodeToString(raw))
		drafts[i] = ledger.Draft{Subject: lead.SubjectOf(id), Cause: "power:" + id, Body: &leadv1.LeadReceived{
			SourceId: "s", Source: "web", SubmissionId: id, ReceivedAt: timestamppb.Now(), Features: &leadv1.Features{Employees: 80}, Personal: grants[i].Sealed,
		}}
	}
	events, err := l.Say(ctx, "intake", func(string) ledger.Place { return ledger.Place{} }, l.Clock().Now(), drafts...)
	if err != nil {
		return nil, err
	}
	kind := "batch"
	if len(ids) == 1 {
		kind = "event"
	}
	for _, e := range events {
		ack("%s %s %d %s", kind, strings.TrimPrefix(e.Subject, lead.SubjectLead), e.Seq, e.ID)
	}
	return events, nil
}

// powerCompare opens what the cut left and looks for everything that was
// acknowledged.
func powerCompare(t *testing.T, dir string, acks []string) (sum powerTally) {
	t.Helper()
	ctx := t.Context()
	began := time.Now()
	l, err := ledger.Open(ctx, powerConfig(dir))
	if err != nil {
		t.Errorf("the log does not open after the cut: %v", err)
		return sum
	}
	defer func() { _ = l.Close() }()
	if why := l.ReadOnly(); why != "" {
		t.Errorf("the log takes nothing new after the cut: %s", why)
	}
	store, err := keys.Open(ctx, filepath.Join(dir, "data", "keys", "keys.db"))
	if err != nil {
		t.Errorf("the keys do not open after the cut: %v", err)
		return sum
	}
	defer store.Close()
	sum.reopened = time.Since(began)

	leads := powerLeads(t, l, store)
	kept := powerKept(t, l)
	events := map[string]string{}
	for id, e := range leads {
		events[id] = fmt.Sprintf("%d %s", e.Seq, e.ID)
	}
	for _, line := range acks {
		what, rest, _ := strings.Cut(line, " ")
		id, more, _ := strings.Cut(rest, " ")
		switch what {
		case "event":
			sum.single++
			if events[id] != more {
				sum.lostSingle++
			}
		case "batch":
			sum.batched++
			if events[id] != more {
				sum.lostBatched++
			}
		case "kept":
			sum.kept++
			if !kept[id] {
				sum.lostKept++
			}
		case "seal":
			sum.sealed++
			raw, err := base64.StdEncoding.DecodeString(more)
			sealed := &leadv1.Sealed{}
			if err == nil {
				err = proto.Unmarshal(raw, sealed)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !powerOpens(ctx, store, id, sealed) {
				sum.lostSealed++
			}
		case "point":
			size, err := strconv.ParseInt(more, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum.pointed = max(sum.pointed, size)
			if last, err := l.Last(ctx, id); err != nil || int64(last) < size {
				t.Errorf("a checkpoint over %d records of %s was acknowledged, and %d stand; %v", size, id, last, err)
			}
		}
	}
	sum.torn = powerTorn(leads)
	if sum.lostSingle+sum.lostBatched+sum.lostKept+sum.lostSealed+sum.torn > 0 {
		t.Errorf("the power cut lost what was acknowledged: %s", sum)
	}
	return sum
}

func powerOpens(ctx context.Context, store *keys.Store, id string, sealed *leadv1.Sealed) bool {
	plain, err := store.Open(ctx, sealed, []byte(id))
	return err == nil && string(plain) == "data of "+id
}

// powerLeads reads LEDGER; the sealed data of every event that stands opens,
// whether it was acknowledged or not: its key was synced before it.
func powerLeads(t *testing.T, l *ledger.Ledger, store *keys.Store) map[string]*ledger.Event {
	t.Helper()
	leads := map[string]*ledger.Event{}
	powerRead(t, l, ledger.StreamLedger, func(e *ledger.Event) {
		id, ok := lead.FromSubject(e.Subject)
		if !ok {
			return
		}
		if leads[id] != nil {
			t.Errorf("lead %s stands twice", id)
		}
		leads[id] = e
		if !powerOpens(t.Context(), store, id, e.Body.(*leadv1.LeadReceived).GetPersonal()) {
			t.Errorf("the sealed data of lead %s does not open: its event outlived its key", id)
		}
	})
	return leads
}

func powerKept(t *testing.T, l *ledger.Ledger) map[string]bool {
	t.Helper()
	kept := map[string]bool{}
	powerRead(t, l, ledger.StreamIntake, func(e *ledger.Event) {
		for _, d := range e.Body.(*intakev1.IntakeRecord).GetDeliveries() {
			kept[d.GetDeliveryId()] = true
		}
	})
	return kept
}

func powerRead(t *testing.T, l *ledger.Ledger, stream string, fn func(*ledger.Event)) {
	t.Helper()
	last, err := l.Last(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	if last == 0 {
		return
	}
	if err := l.Read(t.Context(), stream, 1, last, func(r *ledger.Record) error {
		e, err := r.Decode()
		if err == nil {
			fn(e)
		}
		return err
	}, func(seq uint64, why string) error {
		t.Errorf("record %d of %s cannot be read: %s", seq, stream, why)
		return nil
	}); err != nil {
		t.Errorf("%s cannot be read: %v", stream, err)
	}
}

// powerTorn counts batches of which some events stand and others do not.
func powerTorn(leads map[string]*ledger.Event) (torn int) {
	stands := map[int]int{}
	for id := range leads {
		var n, i int
		if _, err := fmt.Sscanf(id, "b-%d-%d", &n, &i); err == nil {
			stands[n]++
		}
	}
	for n, count := range stands {
		if count != 2+n%19 {
			torn++
		}
	}
	return torn
}
