{
  'exporter.json': importstr 'dashboards/exporter.json',
  'job.json': importstr 'dashboards/job.json',
  'main.json': importstr 'dashboards/main.json',
  'overview.json': importstr 'dashboards/overview.json',
}
