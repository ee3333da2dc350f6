package report

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protojson"
)

func (st *story) dumpTo(path string) {
	f, _ := os.Create(path)
	for _, e := range st.events {
		b, _ := protojson.Marshal(e.Body)
		fmt.Fprintf(f, "%s %s %s %s\n", e.Occurred.Format("01-02 15:04:05"), e.Subject, e.Type, b)
	}
	f.Close()
}
