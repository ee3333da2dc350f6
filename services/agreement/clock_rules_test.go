package agreement

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leadbaton/baton/services/lead"
)

// goodClocks are clocks that stand at the end of the good document.
const goodClocks = `clocks:
  - id: take
    title: Taken
    text: A lead is taken.
    department: sales
    when: lead.employees >= 20
    starts: [qualified, offered]
    stops: accepted
    pauses: waiting
    limit: 4h
    remind_before: 30m
    steps:
      - after: 1h
        tell: owner
        text: Take it.
      - after: 1d
        tell: [manager, sam.w]
        text: Nobody takes it.
        at_once: true
  - id: follow
    title: Follow-up
    text: Goes on.
    department: marketing
    starts: received
    stops: [closed]
    pauses: [away, nurtured]
    restarts_on_touch: true
    limit: 2d
    time: working
    calendar: office
`

func TestClocksAreRead(t *testing.T) {
	source := append(goodSource(t), goodClocks...)
	a, err := Compile(source)
	if err != nil {
		t.Fatal(err)
	}
	want := []Clock{
		{
			ID: "take", Title: "Taken", Text: "A lead is taken.", Department: Sales, Starts: []lead.MomentKind{lead.MomentQualified, lead.MomentOffered},
			Stops: []lead.MomentKind{lead.MomentAccepted}, Pauses: []string{PauseWaiting}, Limit: 4 * time.Hour, Working: true, RemindBefore: 30 * time.Minute,
			Steps: []ClockStep{{After: time.Hour, Tell: []string{ToOwner}, Text: "Take it."}, {After: 24 * time.Hour, Tell: []string{ToManager, "sam.w"}, Text: "Nobody takes it.", AtOnce: true}},
		},
		{
			ID: "follow", Title: "Follow-up", Text: "Goes on.", Department: Marketing, Starts: []lead.MomentKind{lead.MomentReceived},
			Stops: []lead.MomentKind{lead.MomentClosed}, Pauses: []string{PauseAway, PauseNurtured}, Restarts: true, Limit: 48 * time.Hour, Working: true, Calendar: "office",
		},
	}
	if diff := cmp.Diff(want, a.Clocks()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if text, ok := a.Plain("lead.employees >= 20"); !ok || text == "" {
		t.Error("the condition of a clock is not said in plain words")
	}
	line := 1 + bytes.Count(goodSource(t), []byte("\n"))
	for name, test := range map[string]struct {
		from, to string
		line     int // from the first line of the clocks on
		column   int
		text     string
	}{
		"no stop":              {"    stops: accepted\n", "", 1, 5, "the clock has no stops; add `stops:` with what stops it, such as touched"},
		"a start nobody knows": {"[qualified, offered]", "[qualified, ofered]", 6, 25, "\"ofered\" is not known here (did you mean \"offered\"?); write received, qualified, offered, accepted, rejected, nurtured, worked or call"},
		"starts by its stop":   {"stops: accepted", "stops: [accepted, offered]", 7, 23, "\"offered\" is not known here; write accepted, touched, worked, closed, qualified, nurtured, rejected or call"},
		"both start and stop":  {"stops: accepted", "stops: qualified", 7, 5, "qualified both starts the clock and stops it; keep one of the two"},
		"a reminder too early": {"remind_before: 30m", "remind_before: 4h", 10, 20, "the reminder would come before the clock starts; write less than its limit"},
		"nobody to tell":       {"tell: owner", "tell: []", 13, 9, "nobody would hear of it; name at least one"},
		"stops by an act":      {"stops: [closed]", "stops: [closed, touched]", 26, 5, "an act either stops the clock or starts it anew; remove `restarts_on_touch`, or touched, worked and call from `stops`"},
		"no such calendar":     {"    calendar: office\n", "    calendar: ofice\n", 29, 15, "there is no calendar \"ofice\" (did you mean \"office\"?); add it under `calendars`"},
		"a calendar for all time": {
			"    time: working\n    calendar: office\n", "    time: clock\n    calendar: office\n", 29, 15,
			"with `time: clock` all time counts, so that no calendar does; remove one of the two",
		},
		"no calendar": {
			"    time: working\n    calendar: office\n", "", 19, 5,
			"a clock that starts by received may run for a lead that is in no pool; add `calendar:` with one of the calendars, or `time: clock`",
		},
		"the same clock twice": {"id: follow", "id: take", 19, 9, ""},
		"a word of no lead":    {"lead.employees >= 20\n    starts", "lead.size >= 20\n    starts", 5, 11, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(append(goodSource(t), edited(t, []byte(goodClocks), test.from, test.to)...))
			var problems *Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want a refusal", err)
			}
			p := problems.List[0]
			if p.Line != line+test.line || p.Column != test.column || test.text != "" && p.Text != test.text {
				t.Errorf("got  %d:%d %s\nwant %d:%d %s", p.Line-line, p.Column, p.Text, test.line, test.column, test.text)
			}
			if len(problems.List)+problems.More != 1 {
				t.Errorf("one fault, %d problems:\n%v", len(problems.List), err)
			}
		})
	}
}
