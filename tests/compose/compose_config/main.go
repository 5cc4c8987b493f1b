// Prints a compose file as Docker Compose understands it, as JSON: `compose_config FOLDER`. Fails as `docker compose up` would.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	project, err := load(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(string(project))
}

func load(folder string) ([]byte, error) {
	options, err := cli.NewProjectOptions(nil, cli.WithWorkingDirectory(folder), cli.WithOsEnv, cli.WithDotEnv, cli.WithDefaultConfigPath)
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	return project.MarshalJSON()
}
