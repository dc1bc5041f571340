-- table dbo.Album (tables)
CREATE TABLE [dbo].[Album] (
    [AlbumId] int NOT NULL,
    [Title] nvarchar(160) COLLATE SQL_Latin1_General_CP1_CI_AS NOT NULL,
    [ArtistId] int NOT NULL
)
GO
-- table dbo.Artist (tables)
CREATE TABLE [dbo].[Artist] (
    [ArtistId] int NOT NULL,
    [Name] nvarchar(120) COLLATE SQL_Latin1_General_CP1_CI_AS
)
GO
-- table dbo.Invoice (tables)
CREATE TABLE [dbo].[Invoice] (
    [InvoiceId] int NOT NULL,
    [InvoiceDate] datetime NOT NULL,
    [Total] numeric(10,2) NOT NULL
)
GO
-- table dbo.PlaylistTrack (tables)
CREATE TABLE [dbo].[PlaylistTrack] (
    [PlaylistId] int NOT NULL,
    [TrackId] int NOT NULL
)
GO
-- primary key dbo.Album.PK_Album (after)
ALTER TABLE [dbo].[Album] ADD CONSTRAINT [PK_Album] PRIMARY KEY CLUSTERED ([AlbumId])
GO
-- index dbo.Album.IFK_AlbumArtistId (after)
CREATE NONCLUSTERED INDEX [IFK_AlbumArtistId] ON [dbo].[Album] ([ArtistId])
GO
-- primary key dbo.Artist.PK_Artist (after)
ALTER TABLE [dbo].[Artist] ADD CONSTRAINT [PK_Artist] PRIMARY KEY CLUSTERED ([ArtistId])
GO
-- primary key dbo.Invoice.PK_Invoice (after)
ALTER TABLE [dbo].[Invoice] ADD CONSTRAINT [PK_Invoice] PRIMARY KEY CLUSTERED ([InvoiceId])
GO
-- primary key dbo.PlaylistTrack.PK_PlaylistTrack (after)
ALTER TABLE [dbo].[PlaylistTrack] ADD CONSTRAINT [PK_PlaylistTrack] PRIMARY KEY NONCLUSTERED ([PlaylistId], [TrackId])
GO
-- foreign key dbo.Album.FK_AlbumArtistId (after)
ALTER TABLE [dbo].[Album] ADD CONSTRAINT [FK_AlbumArtistId] FOREIGN KEY ([ArtistId]) REFERENCES [dbo].[Artist] ([ArtistId])
GO
