-- schema Sales ]x[ (before)
CREATE SCHEMA [Sales ]]x[]
GO
-- sequence dbo.Fresh (before)
CREATE SEQUENCE [dbo].[Fresh] AS int START WITH 7 INCREMENT BY 1 MINVALUE -2147483648 MAXVALUE 2147483647 CACHE 50
GO
-- sequence dbo.Used (before)
CREATE SEQUENCE [dbo].[Used] AS bigint START WITH 53 INCREMENT BY -2 MINVALUE -9223372036854775808 MAXVALUE 100 CYCLE NO CACHE
GO
-- type dbo.MyType (before)
-- lost: only types that are another name for one of the system's are copied
-- type dbo.Phone (before)
CREATE TYPE [dbo].[Phone] FROM varchar(20) NOT NULL
GO
-- function dbo.fn (before)
CREATE FUNCTION dbo.fn() RETURNS int AS BEGIN RETURN 1 END
GO
-- table Sales ]x[.Odd [Table] (tables)
CREATE TABLE [Sales ]]x[].[Odd [Table]]] (
    [id] int IDENTITY(10,5) NOT NULL,
    [flag] bit DEFAULT ((1)),
    [tiny] tinyint,
    [big] bigint,
    [dec] decimal(38,10),
    [cash] money,
    [r] real,
    [f] float,
    [c] char(3) COLLATE SQL_Latin1_General_CP1_CI_AS,
    [v] varchar(max) COLLATE SQL_Latin1_General_CP1_CI_AS,
    [u8] varchar(50) COLLATE Latin1_General_100_CI_AS_SC_UTF8,
    [n] nvarchar(max) COLLATE SQL_Latin1_General_CP1_CI_AS,
    [old] ntext COLLATE SQL_Latin1_General_CP1_CI_AS,
    [b] binary(4),
    [vb] varbinary(max),
    [rv] binary(8) NOT NULL,
    [d] date,
    [t] time(7),
    [sdt] smalldatetime,
    [dt2] datetime2(3) DEFAULT (sysutcdatetime()) NOT NULL,
    [dto] datetimeoffset(7),
    [uid] uniqueidentifier DEFAULT ([dbo].[fn]()),
    [x] xml,
    [sv] sql_variant,
    [h] hierarchyid,
    [g] geography,
    [phone] varchar(20) COLLATE SQL_Latin1_General_CP1_CI_AS,
    [twice] AS ([id]*(2)) PERSISTED,
    [last4] nvarchar(4) COLLATE SQL_Latin1_General_CP1_CI_AS
)
GO
EXEC sys.sp_addextendedproperty N'MS_Description', N'it''s odd', N'SCHEMA', N'Sales ]x[', N'TABLE', N'Odd [Table]'
GO
EXEC sys.sp_addextendedproperty N'MS_Description', N'wide', N'SCHEMA', N'Sales ]x[', N'TABLE', N'Odd [Table]', N'COLUMN', N'n'
GO
-- table dbo.History (tables)
CREATE TABLE [dbo].[History] (
    [id] int NOT NULL
)
GO
-- primary key Sales ]x[.Odd [Table].PK_Odd (after)
ALTER TABLE [Sales ]]x[].[Odd [Table]]] ADD CONSTRAINT [PK_Odd] PRIMARY KEY NONCLUSTERED ([id])
GO
-- unique Sales ]x[.Odd [Table].UQ_Odd (after)
ALTER TABLE [Sales ]]x[].[Odd [Table]]] ADD CONSTRAINT [UQ_Odd] UNIQUE CLUSTERED ([uid])
GO
-- index Sales ]x[.Odd [Table].IX_Part (after)
CREATE UNIQUE NONCLUSTERED INDEX [IX_Part] ON [Sales ]]x[].[Odd [Table]]] ([big] DESC) INCLUDE ([d]) WHERE ([flag]=(1))
GO
-- check Sales ]x[.Odd [Table].CK_Big (after)
ALTER TABLE [Sales ]]x[].[Odd [Table]]] WITH NOCHECK ADD CONSTRAINT [CK_Big] CHECK (([big]>(0)))
GO
-- foreign key dbo.History.FK_On (after)
ALTER TABLE [dbo].[History] ADD CONSTRAINT [FK_On] FOREIGN KEY ([id]) REFERENCES [Sales ]]x[].[Odd [Table]]] ([id]) ON DELETE CASCADE ON UPDATE SET NULL
GO
-- index Sales ]x[.Odd [Table].IX_Xml (after)
-- lost: an index of kind xml is not rebuilt
-- index Sales ]x[.Odd [Table].IX_Off (after)
-- lost: it is disabled
-- check Sales ]x[.Odd [Table].CK_Off (after)
ALTER TABLE [Sales ]]x[].[Odd [Table]]] WITH NOCHECK ADD CONSTRAINT [CK_Off] CHECK ([tiny]<(9))
GO
ALTER TABLE [Sales ]]x[].[Odd [Table]]] NOCHECK CONSTRAINT [CK_Off]
GO
-- check Sales ]x[.Odd [Table].CK_Card (after)
-- lost: it is over a column that cannot be read
-- index dbo.History.CCI (after)
CREATE CLUSTERED COLUMNSTORE INDEX [CCI] ON [dbo].[History]
GO
-- foreign key dbo.History.FK_Off (after)
ALTER TABLE [dbo].[History] WITH NOCHECK ADD CONSTRAINT [FK_Off] FOREIGN KEY ([id]) REFERENCES [Sales ]]x[].[Odd [Table]]] ([id]) ON UPDATE SET DEFAULT
GO
ALTER TABLE [dbo].[History] NOCHECK CONSTRAINT [FK_Off]
GO
-- column Sales ]x[.Odd [Table].clr (end)
-- lost: values of type mytype cannot be read
-- column Sales ]x[.Odd [Table].card (end)
-- lost: only clients that have its key can read it
-- table dbo.Outside (end)
-- lost: an external table holds its rows elsewhere
-- synonym dbo.Syn (end)
CREATE SYNONYM [dbo].[Syn] FOR [Other].[dbo].[T]
GO
-- view dbo.secret (end)
-- lost: its definition is encrypted or hidden from this user
-- procedure dbo.p (end)
SET QUOTED_IDENTIFIER OFF
GO
SET ANSI_NULLS OFF
GO
CREATE PROCEDURE dbo.p AS SELECT "x"
GO
SET ANSI_NULLS ON
GO
SET QUOTED_IDENTIFIER ON
GO
-- trigger Sales ]x[.Odd [Table].trg (end)
CREATE TRIGGER trg ON [Sales ]]x[].[Odd [Table]]] FOR INSERT AS RETURN
GO
DISABLE TRIGGER [Sales ]]x[].[trg] ON [Sales ]]x[].[Odd [Table]]]
GO
-- clr scalar function dbo.clrf (end)
-- lost: objects of this kind are not copied
-- partitioning dbo.History (end)
-- lost: it is copied without partitions
-- full-text catalog ftc (end)
-- lost: objects of this kind are not copied
-- credential blobs (end)
-- lost: it holds a secret
-- user reader (end)
CREATE USER [reader]
GO
-- grants dbo.p (end)
-- lost: grants are not copied
-- DB131 approximated: table Sales ]x[.Odd [Table]: the system no longer keeps its versions; those it has are in its history table
-- DB131 approximated: table Sales ]x[.Odd [Table]: it is no longer kept in memory
-- DB135 approximated: table Sales ]x[.Odd [Table]: its rows are later than the snapshot, in which a table in memory cannot be read
-- DB133 approximated: column Sales ]x[.Odd [Table].rv: a rowversion keeps its values and no longer changes by itself
-- DB133 approximated: column Sales ]x[.Odd [Table].dt2: a column of a period becomes a plain one
-- DB110 approximated: column Sales ]x[.Odd [Table].phone: the type dbo.Phone becomes the type below it, varchar
-- DB111 approximated: column Sales ]x[.Odd [Table].last4: it was computed of a column that cannot be read, and becomes a plain one
-- DB131 approximated: table dbo.History: the system no longer adds versions to it
