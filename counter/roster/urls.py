"""Addresses of this area; included by ``counter.urls``, in its namespace."""

from __future__ import annotations

from django.urls import path

from counter.roster.views import closings, issues, photos, rosters

urlpatterns = [
    path("roster/", rosters.home, name="roster"),
    path("roster/form.xlsx", rosters.empty, name="roster_form"),
    path("roster/upload/", rosters.upload, name="roster_upload"),
    path("roster/<uuid:roster_id>/", rosters.file, name="roster_file"),
    path("roster/<uuid:roster_id>/slice/", rosters.go_on, name="roster_slice"),
    path("roster/<uuid:roster_id>/encoding/", rosters.choose_encoding, name="roster_encoding"),
    path("roster/<uuid:roster_id>/apply/", rosters.apply, name="roster_apply"),
    path("roster/<uuid:roster_id>/discard/", rosters.discard, name="roster_discard"),
    path("roster/<uuid:roster_id>/rejected.csv", rosters.rejected, name="roster_rejected"),
    path("roster/photos/upload/", photos.upload, name="photos_upload"),
    path("roster/photos/missing/", photos.missing, name="photos_missing"),
    path("roster/photos/<uuid:archive_id>/", photos.archive, name="photos_archive"),
    path("roster/photos/<uuid:archive_id>/slice/", photos.go_on, name="photos_slice"),
    path("roster/photos/of/<int:pictured_id>/", photos.photo, name="photo"),
    path("roster/issues/new/", issues.new, name="issue_new"),
    path("roster/issues/<int:batch_id>/", issues.batch, name="issue"),
    path("roster/issues/<int:batch_id>/faces/", issues.faces, name="issue_faces"),
    path("roster/issues/<int:batch_id>/series/", issues.series, name="issue_series"),
    path("roster/issues/<int:batch_id>/again/", issues.again, name="issue_again"),
    path("roster/issues/<int:batch_id>/handover/", issues.handover, name="issue_handover"),
    path("roster/issues/<int:batch_id>/handed/", issues.handed, name="issue_handed"),
    path("roster/closings/new/", closings.new, name="closings_new"),
    path("roster/closings/<int:closing_id>/", closings.batch, name="closings"),
    path("roster/closings/<int:closing_id>/start/", closings.start, name="closings_start"),
    path("roster/closings/<int:closing_id>/slice/", closings.go_on, name="closings_slice"),
    path("roster/closings/<int:closing_id>/discard/", closings.discard, name="closings_discard"),
    path("accounts/<int:account_id>/face/", issues.face, name="face"),
]
